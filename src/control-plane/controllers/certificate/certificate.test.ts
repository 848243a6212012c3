import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { certificateSigningRequests, subjectAccessReviews } from '../../../client/resources.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { SubjectAccessReview } from '../../../types/kubernetes/generated/authorization-v1.ts';
import type { CertificateSigningRequest } from '../../../types/kubernetes/generated/certificates-v1.ts';
import { Harness } from '../harness.test-helper.ts';
import { CertificateController } from './controller.ts';
import { parseCertificateRequest } from './request.ts';

/** Subject O=system:nodes, CN=system:node:worker. */
const NODE = `-----BEGIN CERTIFICATE REQUEST-----
MIHvMIGWAgEAMDQxFTATBgNVBAoMDHN5c3RlbTpub2RlczEbMBkGA1UEAwwSc3lz
dGVtOm5vZGU6d29ya2VyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERVIS1u9r
NVuuWphvyqOGvrgRfaQILaPDjEvTsgbj2JFIMngeY0i6F9Z74O0fWO4wmidsstGO
FC/SmtMZqlbbjqAAMAoGCCqGSM49BAMCA0gAMEUCIEChwq8Nm3zVyPsZ+h93Xd5j
12kR4KU3f5VL5xCWdfXMAiEAmiYMKGoVX+WLBJw0GBFR1X47jHPhb4FYVOp7l/LJ
mPA=
-----END CERTIFICATE REQUEST-----
`;
/** The same with a DNS name. */
const WITH_NAME = `-----BEGIN CERTIFICATE REQUEST-----
MIIBETCBuAIBADA0MRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxGzAZBgNVBAMMEnN5
c3RlbTpub2RlOndvcmtlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNoXGuB/
z9IuOzPfKSiyaeHvxns9DkuAIBiwtbbesq52HuscJZ2b2bKGhIp2MLtITqj6Oyhu
M1s1py2tAK9fuzagIjAgBgkqhkiG9w0BCQ4xEzARMA8GA1UdEQQIMAaCBGV2aWww
CgYIKoZIzj0EAwIDSAAwRQIhAOJtGe1vuV5HlT+2LCmWzyXpNC2g6cxl+HzuSjzg
ydByAiAuM6iKoAGl2Oi1n1w1CqbhJGwxzJ/Ca8wrZaW+9E1ZRg==
-----END CERTIFICATE REQUEST-----
`;
/** O=system:masters. */
const MASTERS = `-----BEGIN CERTIFICATE REQUEST-----
MIHyMIGYAgEAMDYxFzAVBgNVBAoMDnN5c3RlbTptYXN0ZXJzMRswGQYDVQQDDBJz
eXN0ZW06bm9kZTp3b3JrZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT03707
8EH5WMonfTP07JYDxv3ja+g9siQZ1CD3TR81RiYtqnC1lqhX8pXcOZovOgjGThg+
KFo6FGK9ICq68YqJoAAwCgYIKoZIzj0EAwIDSQAwRgIhAMaT4u/qEB0/AxWqlPNz
tT0igLMbGYytNM3VH7ZORX9YAiEArir6hQwf27GpdDQr9vCxuPyVcOiH5BFu7tF7
6ErQmjw=
-----END CERTIFICATE REQUEST-----
`;

const HOUR = 3_600_000;

async function started({
  allows = () => true,
  sign = async () => 'CERT',
}: { allows?: (subresource: string) => boolean; sign?: () => Promise<string> } = {}): Promise<Harness> {
  const harness = new Harness({ options: { signCertificate: sign } });
  await harness.start((context) => {
    // The access review is answered as it is asked.
    const transport = Object.create(context.transport) as typeof context.transport;
    transport.create = async (resource, namespace, body, options) => {
      if (resource.resource !== subjectAccessReviews.resource) return context.transport.create(resource, namespace, body, options);
      return { ...body, status: { allowed: allows((body as unknown as SubjectAccessReview).spec.resourceAttributes!.subresource!) } };
    };
    for (const verb of ['update', 'delete'] as const) transport[verb] = context.transport[verb].bind(context.transport) as never;
    return new CertificateController({ ...context, transport });
  });
  return harness;
}

const request = (pem: string, spec: Partial<CertificateSigningRequest['spec']> = {}): CertificateSigningRequest => ({
  metadata: { name: 'r' },
  spec: {
    request: Buffer.from(pem).toString('base64'),
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
    username: 'system:bootstrap:abc',
    groups: ['system:bootstrappers'],
    ...spec,
  },
});
const current = (harness: Harness): CertificateSigningRequest | undefined =>
  harness.api.all<CertificateSigningRequest>(certificateSigningRequests)[0];
const conditions = (harness: Harness): (string | undefined)[] =>
  (current(harness)!.status?.conditions ?? []).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

test('a request is read', () => {
  assert.deepEqual(parseCertificateRequest(NODE), { commonName: 'system:node:worker', organizations: ['system:nodes'], hasAlternativeNames: false });
  assert.equal(parseCertificateRequest(WITH_NAME).hasAlternativeNames, true);
  const der = Buffer.from(NODE.replace(/-----[^-]+-----/g, ''), 'base64');
  for (let cut = 0; cut < der.length; cut += 7) {
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.subarray(0, cut).toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    assert.throws(() => parseCertificateRequest(pem), { code: 'invalid' });
  }
  assert.throws(() => parseCertificateRequest('hello'), { code: 'invalid' });
});

test('a node is approved and signed for, where its requester may ask', async () => {
  const harness = await started({ allows: (subresource) => subresource === 'nodeclient' });
  await harness.api.create(certificateSigningRequests, undefined, request(NODE));
  await settle(20);
  assert.deepEqual(conditions(harness), ['Approved AutoApproved: Auto approving kubelet client certificate after SubjectAccessReview.']);
  assert.equal(Buffer.from(current(harness)!.status!.certificate!, 'base64').toString(), 'CERT');
  await harness.clock.advance(HOUR + 1000);
  assert.equal(current(harness), undefined);
  await harness.stop();
  const self = await started();
  await self.api.create(certificateSigningRequests, undefined, request(NODE, { username: 'system:node:worker' }));
  await settle(20);
  assert.match(conditions(self)[0]!, /self kubelet client/);
  await self.stop();
});

test('nothing else is approved', async () => {
  for (const [pem, spec, allows] of [
    [WITH_NAME, {}, true],
    [MASTERS, {}, true],
    [NODE, {}, false],
    [NODE, { usages: ['digital signature', 'client auth', 'server auth'] }, true],
    [NODE, { usages: ['digital signature'] }, true],
    [NODE, { signerName: 'kubernetes.io/kube-apiserver-client' }, true],
    ['junk', {}, true],
  ] as const) {
    const harness = await started({ allows: () => allows });
    await harness.api.create(certificateSigningRequests, undefined, request(pem, spec));
    await settle(20);
    assert.deepEqual(conditions(harness), []);
    assert.equal(current(harness)!.status?.certificate, undefined);
    await harness.clock.advance(23 * HOUR);
    assert.ok(current(harness));
    await harness.clock.advance(2 * HOUR);
    assert.equal(current(harness), undefined, 'nobody decided for a day');
    await harness.stop();
  }
});

test('what the signer refuses has failed', async () => {
  const harness = await started({
    sign: async () => {
      throw new LongshoreError('invalid', 'usages are wrong');
    },
  });
  await harness.api.create(certificateSigningRequests, undefined, {
    ...request(MASTERS, { signerName: 'kubernetes.io/kube-apiserver-client' }),
    status: { conditions: [{ type: 'Approved', status: 'True' }] },
  });
  await settle(20);
  assert.deepEqual(conditions(harness).slice(1), ['Failed SignerValidationFailure: usages are wrong']);
  await harness.stop();
});
