import type { CertificateSigningRequest } from '../../../types/kubernetes/generated/certificates-v1.ts';
import { MASTERS } from '../authz/chain.ts';
import type { Access } from '../authz/access.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import { readSigningRequest } from '../pki/signing-request.ts';
import { jsonSame } from './json-same.ts';
import { refuse } from './plugin.ts';

const GROUP = 'certificates.k8s.io';
const KUBELESS_CLIENT = 'kubernetes.io/kube-apiserver-client';

/** Certificate signing requests: approving and signing want rights on the signer; nobody asks for system:masters. */
export class CertificateAdmission implements AdmissionPlugin {
  readonly name = 'Certificates';
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    return at.resource.group === GROUP && at.resource.resource === 'certificatesigningrequests' && (at.operation === 'CREATE' || at.operation === 'UPDATE');
  }

  validate(at: AdmissionAttributes): void {
    const request = at.object as CertificateSigningRequest;
    const signer = request.spec?.signerName ?? '';
    if (at.operation === 'CREATE') {
      if (signer === KUBELESS_CLIENT) this.#notMasters(at, request);
      return;
    }
    if (at.subresource === 'approval') this.#mayOnSigner(at, 'approve', signer);
    const old = at.oldObject as CertificateSigningRequest | undefined;
    if (at.subresource === 'status' && !jsonSame(old?.status?.certificate, request.status?.certificate)) {
      this.#mayOnSigner(at, 'sign', signer);
    }
  }

  #notMasters(at: AdmissionAttributes, request: CertificateSigningRequest): void {
    const { subject } = readSigningRequest(Buffer.from(request.spec.request, 'base64').toString('utf8'));
    if (subject.organizations.includes(MASTERS)) throw refuse(at, `use of ${KUBELESS_CLIENT} signer with ${MASTERS} group is not allowed`);
  }

  #mayOnSigner(at: AdmissionAttributes, verb: string, signer: string): void {
    const { user } = at.context;
    const domain = `${signer.split('/', 1)[0] ?? ''}/*`;
    const may = (name: string): boolean => this.#access.decide({ user, verb, group: GROUP, resource: 'signers', subresource: '', namespace: '', name }).allowed;
    if (!may(signer) && !may(domain)) throw refuse(at, `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`);
  }
}
