import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { certificateSigningRequests, subjectAccessReviews } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { SubjectAccessReview } from '../../../types/kubernetes/generated/authorization-v1.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../../types/kubernetes/generated/certificates-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { parseCertificateRequest } from './request.ts';

const CLIENT_OF_NODE = 'kubernetes.io/kube-apiserver-client-kubelet';
const SIGNERS = new Set([CLIENT_OF_NODE, 'kubernetes.io/kube-apiserver-client', 'kubernetes.io/kubelet-serving']);
const NODE_USAGES = ['client auth', 'digital signature', 'key encipherment'];
const HOUR_MS = 3_600_000;

/** Approves the client certificates of nodes, signs what is approved, and clears away old requests. */
export class CertificateController implements RunningController {
  readonly #context: ControllerContext;
  readonly #requests: Informer<CertificateSigningRequest>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#requests = context.informers.for<CertificateSigningRequest>(certificateSigningRequests);
    this.#controller = new Controller({
      name: 'certificate-controller', clock: context.clock, logger: context.logger, informers: [this.#requests], sync: (name) => this.#sync(name),
      resync: () => {
        for (const name of this.#requests.store.keys()) this.#controller.enqueue(name);
      },
    });
    this.#controller.watch(this.#requests);
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(name: string): Promise<void> {
    const request = this.#requests.store.get(name);
    if (request === undefined) return;
    const leftMs = keptFor(request) - (this.#context.clock.now() - newest(request));
    if (leftMs <= 0) return this.#delete(request);
    this.#controller.enqueueAfter(name, leftMs);
    if (request.status?.certificate || has(request, 'Denied') || has(request, 'Failed')) return;
    if (has(request, 'Approved')) await this.#sign(request);
    else await this.#approve(request);
  }

  async #delete({ metadata }: CertificateSigningRequest): Promise<void> {
    try {
      await this.#context.transport.delete(certificateSigningRequests, undefined, metadata!.name!, { preconditions: { uid: metadata!.uid! } });
    } catch (error) {
      if (!isCode(error, 'not-found') && !isCode(error, 'conflict')) throw error;
    }
  }

  /** Only what a node asks to be, and only where its requester may ask for that. */
  async #approve(request: CertificateSigningRequest): Promise<void> {
    const spec = request.spec;
    if (spec.signerName !== CLIENT_OF_NODE || !isNodeClient(request)) return;
    const { commonName } = parseCertificateRequest(Buffer.from(spec.request, 'base64').toString('utf8'));
    const ways: (readonly [subresource: string, message: string])[] = [
      ['nodeclient', 'Auto approving kubelet client certificate after SubjectAccessReview.'],
    ];
    if (commonName === spec.username) {
      ways.unshift(['selfnodeclient', 'Auto approving self kubelet client certificate after SubjectAccessReview.']);
    }
    for (const [subresource, message] of ways) {
      if (!(await this.#may(request, subresource))) continue;
      await this.#condition(request, 'Approved', 'AutoApproved', message, 'approval');
      return;
    }
  }

  async #may(request: CertificateSigningRequest, subresource: string): Promise<boolean> {
    const { username, uid, groups, extra } = request.spec;
    const review = await this.#context.transport.create<SubjectAccessReview>(subjectAccessReviews, undefined, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        ...(username && { user: username }),
        ...(uid && { uid }),
        ...(groups && { groups }),
        ...(extra && { extra }),
        resourceAttributes: {
          group: 'certificates.k8s.io',
          resource: 'certificatesigningrequests',
          verb: 'create',
          subresource,
          version: '*',
        },
      },
    });
    return review.status?.allowed ?? false;
  }

  async #sign(request: CertificateSigningRequest): Promise<void> {
    const { signCertificate } = this.#context.options;
    const { signerName, usages = [], expirationSeconds, request: pem } = request.spec;
    if (signCertificate === undefined || !SIGNERS.has(signerName)) return;
    let certificate: string;
    try {
      certificate = await signCertificate({ requestPem: Buffer.from(pem, 'base64').toString('utf8'), signerName, usages, expirationSeconds });
    } catch (error) {
      if (!isCode(error, 'invalid')) throw error;
      return this.#condition(request, 'Failed', 'SignerValidationFailure', messageOf(error), 'status');
    }
    await this.#context.transport.update<CertificateSigningRequest>(
      certificateSigningRequests,
      undefined,
      request.metadata!.name!,
      { ...request, status: { ...request.status, certificate: Buffer.from(certificate).toString('base64') } },
      { subresource: 'status' },
    );
  }

  async #condition(request: CertificateSigningRequest, type: string, reason: string, message: string, subresource: string): Promise<void> {
    const now = rfc3339(this.#context.clock.now());
    const condition: CertificateSigningRequestCondition = {
      type,
      status: 'True',
      reason,
      message,
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    await this.#context.transport.update<CertificateSigningRequest>(
      certificateSigningRequests,
      undefined,
      request.metadata!.name!,
      { ...request, status: { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] } },
      { subresource },
    );
  }
}

function has(request: CertificateSigningRequest, type: string): boolean {
  return request.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

function isNodeClient(request: CertificateSigningRequest): boolean {
  const { usages = [] } = request.spec;
  if (!usages.includes('client auth') || !usages.includes('digital signature') || usages.some((usage) => !NODE_USAGES.includes(usage))) {
    return false;
  }
  try {
    const { commonName, organizations, hasAlternativeNames } = parseCertificateRequest(Buffer.from(request.spec.request, 'base64').toString('utf8'));
    return commonName.startsWith('system:node:') && organizations.length === 1 && organizations[0] === 'system:nodes' && !hasAlternativeNames;
  } catch (error) {
    if (isCode(error, 'invalid')) return false;
    throw error;
  }
}

/** What is decided stays for an hour, what nobody decides on for a day. */
function keptFor(request: CertificateSigningRequest): number {
  const decided = has(request, 'Denied') || has(request, 'Failed') || Boolean(request.status?.certificate);
  return decided ? HOUR_MS : 24 * HOUR_MS;
}

/** When something happened to it last. */
function newest(request: CertificateSigningRequest): number {
  const times = [request.metadata!.creationTimestamp, ...(request.status?.conditions ?? []).map(({ lastUpdateTime }) => lastUpdateTime)];
  return Math.max(...times.map((time) => Date.parse(time ?? '') || 0));
}
