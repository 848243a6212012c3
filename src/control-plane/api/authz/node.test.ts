import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import { serve, type Served } from '../server.test-helper.ts';

let served: Served;
let pod: KubeObject;
const NS = '/api/v1/namespaces/default';

before(async () => {
  served = await serve();
  await served.make(`${NS}/serviceaccounts`, { metadata: { name: 'default' } });
  for (const name of ['mine', 'env', 'projected', 'theirs', 'ephemeral']) await served.make(`${NS}/secrets`, { metadata: { name } });
  await served.make(`${NS}/configmaps`, { metadata: { name: 'config' } });
  for (const name of ['node-a', 'node-b']) await served.make('/api/v1/nodes', { metadata: { name } });
  pod = await served.make(`${NS}/pods`, {
    metadata: { name: 'p' },
    spec: {
      nodeName: 'node-a',
      containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name: 'env' } }] }],
      volumes: [
        { name: 'v', secret: { secretName: 'mine' } },
        { name: 'w', projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'config' } }] } },
      ],
    },
  });
});
after(() => served.close());

const A = 'node-a-token';
const B = 'node-b-token';
const code = async (token: string, method: string, path: string, body?: unknown, type?: string): Promise<number> =>
  (await served.call(method, path, { token, body, headOnly: true, ...(type !== undefined && { type }) })).status;

test('a node reads the secrets and config maps of its pods, and no others', async () => {
  for (const name of ['mine', 'env', 'projected']) {
    assert.equal(await code(A, 'GET', `${NS}/secrets/${name}`), 200, name);
    assert.equal(await code(B, 'GET', `${NS}/secrets/${name}`), 403, name);
  }
  assert.equal(await code(A, 'GET', `${NS}/configmaps/config`), 200);
  const refused = await served.call('GET', `${NS}/secrets/theirs`, { token: A });
  assert.equal(
    refused.json<Status>().message,
    `secrets "theirs" is forbidden: User "system:node:node-a" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'node-a' and this object`,
  );
  assert.equal(await code(A, 'GET', `${NS}/secrets`), 403);
  assert.equal(await code(A, 'GET', '/api/v1/secrets'), 403);
  assert.equal(await code(A, 'GET', `${NS}/secrets?watch=1&fieldSelector=metadata.name%3Dmine`), 200);
  assert.equal(await code(A, 'GET', `${NS}/secrets?watch=1&fieldSelector=metadata.name%3Dtheirs`), 403);
  assert.equal(await code(A, 'DELETE', `${NS}/secrets/mine`), 403);
});

test('an ephemeral container past admission gives its node what it refers to, and only then', async () => {
  assert.equal(await code(A, 'GET', `${NS}/secrets/ephemeral`), 403);
  const patch = {
    spec: {
      ephemeralContainers: [{ name: 'e', image: 'i', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'ephemeral', key: 'k' } } }] }],
    },
  };
  assert.equal(
    await code(A, 'PATCH', `${NS}/pods/p/ephemeralcontainers`, patch, 'application/strategic-merge-patch+json'),
    403,
    'a node cannot do that itself',
  );
  assert.equal(
    await code('admin-token', 'PATCH', `${NS}/pods/p/ephemeralcontainers`, patch, 'application/strategic-merge-patch+json'),
    200,
  );
  assert.equal(await code(A, 'GET', `${NS}/secrets/ephemeral`), 200);
});

test('a node lists its own pods, and reads its own Node', async () => {
  assert.equal(await code(A, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-a'), 200);
  assert.equal(await code(A, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-b'), 403);
  assert.equal(await code(A, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName!%3Dnode-b'), 403);
  assert.equal(await code(A, 'GET', '/api/v1/pods'), 403);
  assert.equal(await code(A, 'GET', `${NS}/pods/p`), 200);
  assert.equal(await code(B, 'GET', `${NS}/pods/p`), 403);
  assert.equal(await code(A, 'GET', '/api/v1/nodes/node-a'), 200);
  assert.equal(await code(A, 'GET', '/api/v1/nodes/node-b'), 403);
  assert.equal(await code(A, 'GET', '/api/v1/nodes'), 403);
});

test('a node writes the status of its own pods and itself, its own lease, and no taints or foreign labels', async () => {
  const merge = 'application/merge-patch+json';
  assert.equal(await code(A, 'PATCH', `${NS}/pods/p/status`, { status: { phase: 'Running' } }, merge), 200);
  assert.equal(await code(B, 'PATCH', `${NS}/pods/p/status`, { status: { phase: 'Failed' } }, merge), 403);
  assert.equal(await code(A, 'PATCH', '/api/v1/nodes/node-a/status', { status: { nodeInfo: { kubeletVersion: 'v1' } } }, merge), 200);
  assert.equal(await code(A, 'PATCH', '/api/v1/nodes/node-b/status', { status: {} }, merge), 403);
  assert.equal(await code(A, 'PATCH', '/api/v1/nodes/node-a', { spec: { taints: [] } }, merge), 403);
  assert.equal(
    await code(A, 'PATCH', '/api/v1/nodes/node-a', { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } }, merge),
    403,
  );
  assert.equal(
    await code(
      A,
      'PATCH',
      '/api/v1/nodes/node-a',
      { metadata: { labels: { 'kubernetes.io/hostname': 'h', 'example.com/mine': 'y' } } },
      merge,
    ),
    200,
  );
  assert.equal(
    await code(A, 'POST', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name: 'node-a' }, spec: {} }),
    201,
  );
  assert.equal(
    await code(A, 'POST', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', { metadata: { name: 'node-b' }, spec: {} }),
    403,
  );
  assert.equal(
    await code(A, 'POST', '/apis/coordination.k8s.io/v1/namespaces/default/leases', { metadata: { name: 'node-a' }, spec: {} }),
    403,
  );
});

test('a node deletes and evicts its own pods, and creates none but mirrors of its own', async () => {
  assert.equal(await code(B, 'DELETE', `${NS}/pods/p`), 403);
  assert.equal(await code(B, 'POST', `${NS}/pods/p/eviction`, { metadata: { name: 'p' } }), 403);
  const spec = { nodeName: 'node-a', containers: [{ name: 'c', image: 'i' }] };
  assert.equal(await code(A, 'POST', `${NS}/pods`, { metadata: { name: 'q' }, spec }), 403);
  const node = (await served.call('GET', '/api/v1/nodes/node-a')).json<KubeObject>();
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'node-a', uid: node.metadata!.uid, controller: true };
  const mirror = (extra: object): unknown => ({
    metadata: { name: 'q', annotations: { 'kubernetes.io/config.mirror': 'x' }, ownerReferences: [owner] },
    spec: { ...spec, ...extra },
  });
  assert.equal(await code(A, 'POST', `${NS}/pods`, mirror({ volumes: [{ name: 'v', secret: { secretName: 'theirs' } }] })), 403);
  assert.equal(await code(A, 'POST', `${NS}/pods`, mirror({ nodeName: 'node-b' })), 403);
  assert.equal(await code(A, 'POST', `${NS}/pods`, mirror({})), 201);
  assert.equal(await code(A, 'DELETE', `${NS}/pods/q`), 200);
});

test('a node asks for tokens of its pods’ accounts, in the name of those pods', async () => {
  const token = (who: string, spec: object): Promise<number> => code(who, 'POST', `${NS}/serviceaccounts/default/token`, { spec });
  const reference = { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: pod.metadata!.uid };
  assert.equal(await token(A, { audiences: [], boundObjectRef: reference }), 201);
  assert.equal(await token(A, { audiences: [] }), 403);
  assert.equal(await token(A, { audiences: ['vault'], boundObjectRef: reference }), 403);
  assert.equal(await token(B, { audiences: [], boundObjectRef: reference }), 403);
});
