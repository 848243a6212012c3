import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { configMap, configMaps, context, fixture, pod, pods, record } from './fixtures.test-helper.ts';

const brief = (events: readonly { type: string; name: string }[]): string[] => events.map(({ type, name }) => `${type} ${name}`.trim());

test('a hundred watchers get one and the same encoding', async () => {
  const { registry } = await fixture();
  const watchers = Array.from({ length: 100 }, () => record(registry, configMaps, 'default'));
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  const buffers = new Set(watchers.map(({ events }) => events[0]!.stored.json()));
  assert.equal(buffers.size, 1);
});

test('initial events end with a bookmark, and what follows comes once', async () => {
  const { registry } = await fixture();
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  await registry.create(context(), configMaps, 'default', configMap('b'), {});
  const watched = record(registry, configMaps, 'default', { sendInitialEvents: true, allowWatchBookmarks: true, resourceVersion: '' });
  assert.deepEqual(brief(watched.events), ['ADDED a', 'ADDED b', 'BOOKMARK']);
  const { object } = watched.events[2]!.stored;
  assert.deepEqual(object.metadata!.annotations, { 'k8s.io/initial-events-end': 'true' });
  assert.equal(object.kind, 'ConfigMap');
  assert.equal(object.metadata!.resourceVersion, String(registry.revision));
  await registry.create(context(), configMaps, 'default', configMap('c'), {});
  assert.deepEqual(brief(watched.events.slice(3)), ['ADDED c']);
  const quiet = record(registry, configMaps, 'default', { sendInitialEvents: false, resourceVersion: '0' });
  await registry.delete(context(), configMaps, 'default', 'c', {});
  assert.deepEqual(brief(quiet.events), ['DELETED c']);
});

test('bookmarks come once a minute to those who asked', async () => {
  const { registry, clock } = await fixture();
  const asked = record(registry, configMaps, 'default', { allowWatchBookmarks: true });
  const not = record(registry, configMaps, 'default');
  clock.advance(60_000);
  clock.advance(60_000);
  assert.deepEqual(brief(asked.events), ['BOOKMARK', 'BOOKMARK']);
  assert.deepEqual(not.events, []);
  asked.stop();
  clock.advance(60_000);
  assert.equal(asked.events.length, 2);
});

test('watches by name and by node hear of their own only, moves included', async () => {
  const { registry } = await fixture();
  const named = record(registry, pods, 'default', { name: 'a' });
  const byField = record(registry, pods, undefined, { fieldSelector: 'spec.nodeName=n1' });
  const unbound = record(registry, pods, undefined, { fieldSelector: 'spec.nodeName=' });
  await registry.create(context(), pods, 'default', pod('a'), {});
  await registry.create(context(), pods, 'default', pod('b', { nodeName: 'n2' }), {});
  await registry.create(
    context(),
    pods,
    'default',
    { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'a' }, target: { kind: 'Node', name: 'n1' } },
    { name: 'a', subresource: 'binding' },
  );
  await registry.delete(context(), pods, 'default', 'a', { gracePeriodSeconds: 0 });
  assert.deepEqual(brief(named.events), ['ADDED a', 'MODIFIED a', 'DELETED a']);
  assert.deepEqual(brief(byField.events), ['ADDED a', 'DELETED a']);
  assert.deepEqual(brief(unbound.events), ['ADDED a', 'DELETED a']);
});

test('a watch from a forgotten revision ends with 410', async () => {
  const { registry, store } = await fixture();
  const from = registry.revision;
  for (let n = 0; n < 600; n++) await registry.create(context(), configMaps, 'default', configMap(`c${n}`), {});
  await store.compact(registry.revision - 10);
  assert.throws(
    () => record(registry, configMaps, 'default', { resourceVersion: String(from) }),
    (error: Error) =>
      error instanceof StatusError && error.status.code === 410 && /^too old resource version: \d+ \(\d+\)$/.test(error.message),
  );
});

test('closing ends watches in good order', async () => {
  const { registry } = await fixture();
  const watched = record(registry, configMaps, 'default');
  await registry.close();
  assert.deepEqual(watched.ends, [undefined]);
});

test('a watcher may stop within an event', async () => {
  const { registry } = await fixture();
  for (const name of ['a', 'b', 'c']) await registry.create(context(), configMaps, 'default', configMap(name), {});
  let seen = 0;
  let stop: (() => void) | undefined = undefined as (() => void) | undefined;
  stop = registry.watch(context(), configMaps, 'default', {}, {
    event: () => {
      seen++;
      stop?.();
    },
    ended: () => {},
  });
  assert.equal(seen, 3);
  await registry.create(context(), configMaps, 'default', configMap('d'), {});
  await registry.create(context(), configMaps, 'default', configMap('e'), {});
  assert.equal(seen, 4);
});

test('a watch that starts within an event of another neither misses nor repeats', async () => {
  const { registry } = await fixture();
  const inner: string[] = [];
  let started = false;
  registry.watch(
    context(),
    configMaps,
    'default',
    {},
    {
      event: () => {
        if (started) return;
        started = true;
        registry.watch(
          context(),
          configMaps,
          'default',
          {},
          { event: (type, stored) => void inner.push(`${type} ${stored.object.metadata!.name}`), ended: () => {} },
        );
      },
      ended: () => {},
    },
  );
  await Promise.all(['a', 'b'].map((name) => registry.create(context(), configMaps, 'default', configMap(name), {})));
  assert.deepEqual(inner, ['ADDED a', 'ADDED b']);
});
