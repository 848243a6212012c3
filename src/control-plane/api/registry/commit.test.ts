import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LongshoreError } from '../../../lib/errors.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { openMemoryStore } from '../../store/memory-store.ts';
import type { Store, TxnRequest, TxnResult } from '../../store/store.ts';
import { configMap, configMaps, context, fixture, namespaces, record } from './fixtures.test-helper.ts';

type Data = KubeObject & { readonly data: Record<string, string> };

/** A store of which a test can hold back answers, fail them, or slip another writer's in between. */
function troubled(inner: Store, trouble: { before?: () => Promise<unknown> | undefined; fail?: () => boolean; hold?: Promise<void> }): Store {
  return {
    get revision() { return inner.revision; },
    get compactedRevision() { return inner.compactedRevision; },
    get: (...args) => inner.get(...args),
    range: (...args) => inner.range(...args),
    async txn(request: TxnRequest): Promise<TxnResult> {
      const other = trouble.before?.();
      if (trouble.fail?.() === true) throw new LongshoreError('exhausted', 'the disk is full');
      const deciding = inner.txn(request);
      await other;
      await trouble.hold;
      return deciding;
    },
    watch: (...args) => inner.watch(...args),
    compact: (revision) => inner.compact(revision),
    stats: () => inner.stats(),
    close: () => inner.close(),
  };
}

async function withTrouble(options: { shared?: boolean } = {}) {
  const inner = await openMemoryStore();
  const trouble: Parameters<typeof troubled>[1] = {};
  const { registry } = await fixture({ store: troubled(inner, trouble), ...options });
  await registry.create(context(), namespaces, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }, {});
  return { inner, trouble, registry };
}

test('where another writer takes the foretold revision, the right one is told', async () => {
  const { inner, trouble, registry } = await withTrouble();
  const watched = record(registry, configMaps, 'default');
  trouble.before = () => inner.txn({ compare: [], success: [{ type: 'put', key: '/elsewhere', value: Buffer.from('x') }] });
  const made = await Promise.all(['a', 'b', 'c'].map((name) => registry.create(context(), configMaps, 'default', configMap(name), {})));
  trouble.before = undefined;
  for (const { stored } of made) {
    const { name, resourceVersion } = stored.object.metadata!;
    const inStore = inner.get(`/registry/core/configmaps/default/${name}`)!;
    assert.equal(resourceVersion, String(inStore.modRevision));
    const got = await registry.get(context(), configMaps, 'default', name!);
    assert.equal(JSON.parse(got.json().toString()).metadata.resourceVersion, resourceVersion);
    await registry.update(context(), configMaps, 'default', name!, { ...got.object, data: { x: '1' } }, {});
  }
  assert.deepEqual(watched.events.map((event) => event.revision), watched.events.map((event) => event.revision).sort((a, b) => a - b));
});

test('a full disk refuses what could not be written, and nothing that was built on it survives', async () => {
  const { trouble, registry } = await withTrouble();
  await registry.create(context(), configMaps, 'default', configMap('a', { n: '0' }), {});
  let failing = 2;
  trouble.fail = () => failing-- > 0;
  const patches = ['1', '2', '3'].map((n) => registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { [`k${n}`]: n } } }, {}));
  const outcomes = await Promise.allSettled(patches);
  assert.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'rejected', 'fulfilled']);
  const { data } = (await registry.get(context(), configMaps, 'default', 'a')).object as Data;
  assert.deepEqual(data, { n: '0', k3: '3' });
});

test('a refusal that rests on what never came to be is taken back', async () => {
  const { trouble, registry } = await withTrouble();
  let failing = 1;
  trouble.fail = () => failing-- > 0;
  const outcomes = await Promise.allSettled(['1', '2'].map((n) => registry.create(context(), configMaps, 'default', configMap('a', { n }), {})));
  assert.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'fulfilled']);
  assert.match(String((outcomes[0] as PromiseRejectedResult).reason), /the disk is full/);
});

test('nothing is shown before it is durable', async () => {
  const { trouble, registry } = await withTrouble();
  const { promise, resolve } = Promise.withResolvers<void>();
  const inner = await openMemoryStore();
  assert.equal(inner.revision, 1);
  trouble.before = () => promise;
  let answered = false;
  const creating = registry.create(context(), configMaps, 'default', configMap('a'), {}).then(() => {
    answered = true;
  });
  const again = registry.create(context(), configMaps, 'default', configMap('a'), {});
  await new Promise((done) => setImmediate(done));
  assert.equal(answered, false);
  resolve();
  await creating;
  await assert.rejects(again, /already exists/);
});

test('over a store that others write to, patches still all take effect', async () => {
  const { inner, trouble, registry } = await withTrouble({ shared: true });
  await registry.create(context(), configMaps, 'default', configMap('a', {}), {});
  let meddle = 3;
  trouble.before = () => {
    if (meddle-- <= 0) return undefined;
    const now = inner.get('/registry/core/configmaps/default/a')!;
    const object = JSON.parse(Buffer.from(now.value).toString()) as Data;
    return inner.txn({
      compare: [],
      success: [
        { type: 'put', key: now.key, value: Buffer.from(JSON.stringify({ ...object, data: { ...object.data, [`other${meddle}`]: 'x' } })) },
      ],
    });
  };
  await Promise.all(['1', '2', '3'].map((n) => registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { [`k${n}`]: n } } }, {})));
  const { data } = (await registry.get(context(), configMaps, 'default', 'a')).object as Data;
  assert.deepEqual(Object.keys(data).sort(), ['k1', 'k2', 'k3', 'other0', 'other1', 'other2']);
});

test('an object does not grow without end', async () => {
  const { registry } = await withTrouble();
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  const grow = (n: number) =>
    registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: { [`k${n}`]: 'x'.repeat(1024 * 1024) } } }, {});
  await grow(1);
  await grow(2);
  await assert.rejects(grow(3), (error: Error) => error instanceof StatusError && error.status.code === 413);
  await registry.patch(context(), configMaps, 'default', 'a', { type: 'merge', body: { data: null } }, {});
});
