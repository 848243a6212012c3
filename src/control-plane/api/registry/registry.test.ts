import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import { configMap, configMaps, context, fixture, pod, pods, record } from './fixtures.test-helper.ts';

test('what was created is got, listed and watched as the same bytes', async () => {
  const { registry, store } = await fixture();
  const watched = record(registry, configMaps, 'default');
  const { stored, created } = await registry.create(context(), configMaps, 'default', configMap('a', { x: '1' }), {});
  assert.equal(created, true);
  const got = await registry.get(context(), configMaps, 'default', 'a');
  const { items } = await registry.list(context(), configMaps, 'default', {});
  const inStore = store.get('/registry/core/configmaps/default/a')!;
  assert.equal(got, stored);
  assert.equal(items[0], stored);
  assert.equal(watched.events[0]!.stored, stored);
  assert.equal(got.json().buffer, inStore.value.buffer);
  const object = JSON.parse(got.json().toString()) as KubeObject;
  assert.equal(object.metadata!.resourceVersion, String(inStore.modRevision));
  assert.match(object.metadata!.uid!, /^[0-9a-f-]{36}$/);
  assert.equal(object.metadata!.creationTimestamp, '2030-01-02T03:04:05Z');
  assert.equal(object.metadata!.namespace, 'default');
});

test('a name is taken once, and a namespace must be there', async () => {
  const { registry } = await fixture();
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  await assert.rejects(
    registry.create(context(), configMaps, 'default', configMap('a'), {}),
    (error: Error) => isReason(error, 'AlreadyExists') && error.message === 'configmaps "a" already exists',
  );
  await assert.rejects(registry.create(context(), configMaps, 'nowhere', configMap('a'), {}), /namespaces "nowhere" not found/);
  await assert.rejects(
    registry.create(context(), configMaps, 'default', { ...configMap('b'), metadata: { name: 'b', namespace: 'other' } }, {}),
    /the namespace of the provided object does not match/,
  );
});

test('of two creates at once one wins, whichever is not durable yet', async () => {
  const { registry } = await fixture();
  const outcomes = await Promise.allSettled([1, 2, 3].map((n) => registry.create(context(), configMaps, 'default', configMap('a', { n: String(n) }), {})));
  assert.deepEqual(outcomes.map((outcome) => outcome.status), ['fulfilled', 'rejected', 'rejected']);
});

test('an update needs the newest version, and without a change writes nothing', async () => {
  const { registry } = await fixture();
  const { stored } = await registry.create(context(), configMaps, 'default', configMap('a', { x: '1' }), {});
  const changed = await registry.update(context(), configMaps, 'default', 'a', { ...stored.object, data: { x: '2' } }, {});
  assert.ok(changed.stored.revision > stored.revision);
  await assert.rejects(
    registry.update(context(), configMaps, 'default', 'a', { ...stored.object, data: { x: '3' } }, {}),
    /Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again/,
  );
  const same = await registry.update(context(), configMaps, 'default', 'a', changed.stored.object, {});
  assert.equal(same.stored.revision, changed.stored.revision);
  const unconditional = await registry.update(context(), configMaps, 'default', 'a', configMap('a', { x: '9' }), {});
  assert.equal((unconditional.stored.object as { data?: Record<string, string> }).data!.x, '9');
  assert.equal(unconditional.stored.object.metadata!.uid, stored.object.metadata!.uid);
  await assert.rejects(
    registry.update(context(), configMaps, 'default', 'a', { ...configMap('a'), metadata: { name: 'a', uid: 'other' } }, {}),
    /Precondition failed: UID in precondition: other/,
  );
  await assert.rejects(registry.update(context(), configMaps, 'default', 'b', configMap('b'), {}), /configmaps "b" not found/);
});

test('patches of one object at once all take effect', async () => {
  const { registry } = await fixture();
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { [`k${n}`]: 'v' } } }, {}),
    ),
  );
  const { object } = await registry.get(context(), configMaps, 'default', 'a');
  assert.equal(Object.keys((object as { data?: object }).data!).length, 50);
});

test('a watch tells what enters and leaves its selection', async () => {
  const { registry } = await fixture();
  const watched = record(registry, configMaps, 'default', { labelSelector: 'app=web' });
  await registry.create(context(), configMaps, 'default', configMap('a', {}, { app: 'web' }), {});
  await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { x: '1' } } }, {});
  const { stored } = await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { metadata: { labels: { app: 'db' } } } }, {});
  await registry.create(context(), configMaps, 'default', configMap('b'), {});
  await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { metadata: { labels: { app: 'web' } } } }, {});
  await registry.delete(context(), configMaps, 'default', 'a', {});
  assert.deepEqual(watched.events.map(({ type, name }) => `${type} ${name}`), ['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED a', 'DELETED a']);
  const left = watched.events[2]!;
  assert.equal(left.revision, stored.revision);
  assert.deepEqual(left.stored.object.metadata!.labels, { app: 'web' });
  assert.equal((JSON.parse(left.stored.json().toString()) as KubeObject).metadata!.resourceVersion, String(stored.revision));
});

test('a watch goes on from any revision, also one that memory forgot', async () => {
  const { registry } = await fixture();
  const first = await registry.create(context(), configMaps, 'default', configMap('a'), {});
  for (let n = 0; n < 700; n++) {
    await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { n: String(n) } } }, {});
  }
  const late = record(registry, configMaps, 'default', { resourceVersion: String(first.stored.revision) });
  const recent = record(registry, configMaps, 'default', { resourceVersion: String(registry.revision - 3) });
  await registry.create(context(), configMaps, 'default', configMap('z'), {});
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(late.events.length, 701);
  assert.deepEqual(late.events.map((event) => event.revision), Array.from({ length: 701 }, (_, i) => first.stored.revision + 1 + i));
  assert.equal(recent.events.length, 4);
  await registry.create(context(), configMaps, 'default', configMap('zz'), {});
  assert.equal(late.events.length, 702);
  late.stop();
  recent.stop();
  await registry.create(context(), configMaps, 'default', configMap('zzz'), {});
  assert.equal(late.events.length, 702);
});

test('pods: a scheduled one is deleted in two steps, the second may shorten the grace', async () => {
  const { registry } = await fixture();
  await registry.create(context(), pods, 'default', pod('loose'), {});
  assert.equal((await registry.delete(context(), pods, 'default', 'loose', {})).gone, true);
  await registry.create(context(), pods, 'default', pod('bound', { nodeName: 'n1' }), {});
  const marked = await registry.delete(context(), pods, 'default', 'bound', {});
  assert.equal(marked.gone, false);
  assert.equal(marked.stored.object.metadata!.deletionTimestamp, '2030-01-02T03:04:35Z');
  assert.equal(marked.stored.object.metadata!.deletionGracePeriodSeconds, 30);
  const again = await registry.delete(context(), pods, 'default', 'bound', {});
  assert.equal(again.stored.revision, marked.stored.revision);
  const shorter = await registry.delete(context(), pods, 'default', 'bound', { gracePeriodSeconds: 5 });
  assert.equal(shorter.stored.object.metadata!.deletionTimestamp, '2030-01-02T03:04:10Z');
  await assert.rejects(
    registry.delete(context(), pods, 'default', 'bound', { gracePeriodSeconds: 0, preconditions: { uid: 'x' } }),
    /the UID in the precondition \(x\) does not match/,
  );
  assert.equal((await registry.delete(context(), pods, 'default', 'bound', { gracePeriodSeconds: 0 })).gone, true);
  await assert.rejects(async () => registry.get(context(), pods, 'default', 'bound'), /pods "bound" not found/);
});
