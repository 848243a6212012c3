import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Transport } from '../../client/transport.ts';
import { configMaps, namespaces, pods, secrets, serviceAccounts } from '../../types/kubernetes/generated/refs.ts';
import type { ConfigMap, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import { isReason } from '../../types/kubernetes/status.ts';
import { isNotFound } from './errors.ts';
import { serve, type Served } from './server.test-helper.ts';

let served: Served;
let admin: Transport;
let nobody: Transport;
before(async () => {
  served = await serve();
  // The door is the client's Transport in shape: this assignment is the proof.
  admin = served.api.inProcess({ name: 'admin', groups: ['system:masters'] });
  nobody = served.api.inProcess({ name: 'nobody', groups: [] });
});
after(() => served.close());

test('every verb, without HTTP in between', async () => {
  const made = await admin.create<ConfigMap>(configMaps, 'default', { metadata: { name: 'a', labels: { x: 'y' } }, data: { k: '1' } });
  assert.ok(Object.isFrozen(made), 'what comes out is shared');
  assert.equal(await admin.get(configMaps, 'default', 'a'), made, 'one object for all who ask');
  const updated = await admin.update<ConfigMap>(configMaps, 'default', 'a', { ...made, data: { k: '2' } });
  await assert.rejects(admin.update<ConfigMap>(configMaps, 'default', 'a', { ...made, data: { k: '3' } }), (error) => isReason(error, 'Conflict'));
  const patched = await admin.patch<ConfigMap>(configMaps, 'default', 'a', 'merge', { data: { l: '3' } });
  assert.deepEqual([updated.data, patched.data], [{ k: '2' }, { k: '2', l: '3' }]);
  const list = await admin.list<ConfigMap>(configMaps, 'default', { labelSelector: 'x=y' });
  assert.deepEqual([list.items.length, Number(list.metadata.resourceVersion) >= Number(patched.metadata?.resourceVersion)], [1, true]);
  await admin.delete(configMaps, 'default', 'a', { preconditions: { uid: made.metadata!.uid! } });
  await assert.rejects(admin.get(configMaps, 'default', 'a'), isNotFound);
});

test('authorisation and admission hold', async () => {
  await assert.rejects(
    nobody.list(pods, 'default'),
    (error: Error) =>
      isReason(error, 'Forbidden') &&
      error.message === 'pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  await assert.rejects(nobody.get(secrets, 'default', 'x'), (error) => isReason(error, 'Forbidden'));
  await assert.rejects(nobody.createSubresource(serviceAccounts, 'default', 'x', 'token', {}), (error) => isReason(error, 'Forbidden'));
  await assert.rejects(admin.delete(namespaces, undefined, 'default'), (error) => isReason(error, 'Forbidden'));
  await assert.rejects(
    admin.create<Pod>(pods, 'default', {
      metadata: { name: 'p' },
      spec: { serviceAccountName: 'ghost', containers: [{ name: 'c', image: 'i' }] },
    }),
    /serviceaccount "ghost" not found/,
  );
  await assert.rejects(admin.create(configMaps, 'default', { kind: 'Secret', metadata: { name: 'a' } }), (error) =>
    isReason(error, 'BadRequest'),
  );
});

test('a watch delivers, stops when told, and tells of a refusal by its end', async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = admin.watch<ConfigMap>(configMaps, 'default', { fieldSelector: 'metadata.name=w' }, {
    event: (type, object) => {
      seen.push(`${type} ${object.metadata!.name!}`);
      if (seen.length === 2) resolve();
    },
    ended: () => assert.fail('it was stopped'),
  });
  await admin.create<ConfigMap>(configMaps, 'default', { metadata: { name: 'w' } });
  await admin.delete(configMaps, 'default', 'w');
  await promise;
  stop();
  await admin.create<ConfigMap>(configMaps, 'default', { metadata: { name: 'w' } });
  assert.deepEqual(seen, ['ADDED w', 'DELETED w']);

  const refused = await new Promise<Error | undefined>((ended) => {
    nobody.watch(configMaps, 'default', {}, { event: () => assert.fail(), ended });
  });
  assert.ok(isReason(refused, 'Forbidden'));
  const timed = await new Promise<Error | undefined>((ended) => {
    admin.watch(configMaps, 'kube-public', { timeoutSeconds: 1 }, { event: () => {}, ended });
  });
  assert.equal(timed, undefined);
});

test('a call that was given up does nothing', async () => {
  const signal = AbortSignal.abort();
  await assert.rejects(admin.create<ConfigMap>(configMaps, 'default', { metadata: { name: 'given-up' } }, { signal }));
  await assert.rejects(admin.get(configMaps, 'default', 'given-up'), isNotFound);
});
