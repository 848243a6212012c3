import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { serve, type Served } from '../server.test-helper.ts';

let served: Served;
before(async () => {
  served = await serve({ advertiseAddress: '192.0.2.7' });
});
after(() => served.close());

/** Deletes it, and waits until there is another one in its place. */
async function deletedComesBack(path: string): Promise<KubeObject> {
  const old = (await served.call('GET', path)).json<KubeObject>();
  assert.equal((await served.call('DELETE', path)).status, 200);
  for (;;) {
    const answer = await served.call('GET', path);
    if (answer.status === 200 && answer.json<KubeObject>().metadata!.uid !== old.metadata!.uid) return answer.json<KubeObject>();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('the kubernetes Service and its endpoints come back when they are deleted', { timeout: 10_000 }, async () => {
  const service = await deletedComesBack('/api/v1/namespaces/default/services/kubernetes') as KubeObject & { spec: { clusterIP: string } };
  assert.equal(service.spec.clusterIP, '10.96.0.1');
  await deletedComesBack('/api/v1/namespaces/default/endpoints/kubernetes');
  const slice = (await deletedComesBack('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes')) as KubeObject & {
    endpoints: { addresses: string[] }[];
  };
  assert.deepEqual(slice.endpoints[0]!.addresses, ['192.0.2.7']);
  await deletedComesBack('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes'); // and a second time
});

test('a first namespace comes back once it has gone', { timeout: 10_000 }, async () => {
  const path = '/api/v1/namespaces/kube-node-lease';
  const marked = await served.call('DELETE', path);
  assert.equal(marked.status, 200);
  await served.call('PUT', `${path}/finalize`, { body: { ...marked.json<KubeObject>(), spec: {} } });
  for (;;) {
    const answer = await served.call('GET', path);
    if (answer.status === 200 && answer.json<KubeObject>().metadata!.uid !== marked.json<KubeObject>().metadata!.uid) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
