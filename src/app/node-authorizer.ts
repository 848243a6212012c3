import { subjectAccessReviews } from '../client/resources.ts';
import type { Transport } from '../client/transport.ts';
import { issueCertificate, keyPem, newKey } from '../control-plane/api/pki/certificate.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { systemRandom } from '../lib/random.ts';
import type { SubjectAccessReview } from '../types/kubernetes/generated/authorization-v1.ts';
import type { Authorize } from './node-listener.ts';

/** As long as the kubelet remembers a yes and a no by default, in milliseconds. */
const YES_MS = 300_000;
const NO_MS = 30_000;
/** So many answers are remembered at most; with one more, all are asked for again. */
const MOST = 1000;
const DAY_MS = 86_400_000;

const VERBS: Readonly<Record<string, string>> = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
/** Subresources of a node that paths of its API stand for, beside `proxy`, which stands for all. */
const SUBRESOURCES: Readonly<Record<string, readonly string[]>> = {
  stats: ['stats'],
  metrics: ['metrics'],
  logs: ['log'],
  pods: ['pods', 'proxy'],
  healthz: ['healthz', 'proxy'],
};

/** Asks the API server whether a client may make a request to the node's API, as the kubelet does (authorisation mode Webhook). */
export function createNodeAuthorizer({
  transport,
  nodeName,
  clock,
}: {
  readonly transport: Transport;
  readonly nodeName: string;
  readonly clock: Clock;
}): Authorize {
  const answers = new Map<string, { readonly allowed: boolean; readonly until: number }>();
  const ask = async (user: string, groups: readonly string[], verb: string, subresource: string): Promise<boolean> => {
    const key = JSON.stringify([user, groups, verb, subresource]);
    const known = answers.get(key);
    if (known && known.until > clock.monotonic()) return known.allowed;
    const { status } = await transport.create<SubjectAccessReview>(subjectAccessReviews, undefined, {
      apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview',
      spec: { user, groups: [...groups], resourceAttributes: { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName } },
    });
    const allowed = status?.allowed === true;
    if (answers.size >= MOST) answers.clear();
    answers.set(key, { allowed, until: clock.monotonic() + (allowed ? YES_MS : NO_MS) });
    return allowed;
  };
  return async ({ name, groups }, method, target) => {
    const verb = VERBS[method];
    if (verb === undefined) return false;
    const first = target.split(/[/?]/).find((part) => part !== '') ?? '';
    for (const subresource of SUBRESOURCES[first] ?? ['proxy']) {
      // An API server takes this group for granted for whoever has a certificate.
      if (await ask(name, [...new Set([...groups, 'system:authenticated'])], verb, subresource)) return true;
    }
    return false;
  };
}

/** A serving certificate that nobody else signed, as the kubelet makes one when it is given none. PEM. */
export async function selfSigned(nodeName: string, address: string): Promise<{ readonly certificate: string; readonly key: string }> {
  const pair = await newKey();
  const subject = { commonName: `${nodeName}@${Math.floor(systemClock.now() / 1000)}`, organizations: [] };
  const certificate = issueCertificate(
    {
      subject,
      publicKey: pair.publicKey,
      use: 'server',
      alternativeNames: [nodeName, address],
      notBefore: systemClock.now() - 3_600_000,
      notAfter: systemClock.now() + 365 * DAY_MS,
    },
    { subject, key: pair.privateKey, publicKey: pair.publicKey },
    systemRandom,
  );
  return { certificate, key: keyPem(pair.privateKey) };
}
