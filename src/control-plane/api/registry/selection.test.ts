import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReason, StatusError } from '../../../types/kubernetes/status.ts';
import { configMap, configMaps, context, fixture, pod, pods } from './fixtures.test-helper.ts';
import type { ListPage } from '../contract.ts';

const names = (page: ListPage): string[] => page.items.map((item) => item.object.metadata!.name!);

async function withPods(count = 100) {
  const fix = await fixture();
  for (let n = 0; n < count; n++) {
    await fix.registry.create(
      context(),
      pods,
      'default',
      pod(`p${String(n).padStart(3, '0')}`, { nodeName: `n${n % 10}`, labels: { app: n % 50 === 0 ? 'rare' : 'common', n: String(n) } }),
      {},
    );
  }
  return fix;
}

test('label selectors find by index what a scan finds, and follow changes', async () => {
  const { registry } = await withPods();
  assert.deepEqual(names(await registry.list(context(), pods, 'default', { labelSelector: 'app=rare' })), ['p000', 'p050']);
  await registry.patch(context(), pods, 'default', 'p050', { type: 'merge', body: { metadata: { labels: { app: 'common' } } } }, {});
  await registry.patch(context(), pods, 'default', 'p007', { type: 'merge', body: { metadata: { labels: { app: 'rare' } } } }, {});
  await registry.delete(context(), pods, 'default', 'p000', { gracePeriodSeconds: 0 });
  assert.deepEqual(names(await registry.list(context(), pods, undefined, { labelSelector: 'app=rare' })), ['p007']);
  assert.equal((await registry.list(context(), pods, 'default', { labelSelector: 'app in (rare,common),n notin (1,2),!zone' })).items.length, 97);
  assert.deepEqual(names(await registry.list(context(), pods, 'default', { labelSelector: 'n>97' })), ['p098', 'p099']);
  assert.deepEqual(names(await registry.list(context(), pods, 'elsewhere', { labelSelector: 'app=rare' })), []);
});

test('field selectors: by node, by name, several at once, and what is not supported', async () => {
  const { registry } = await withPods();
  assert.deepEqual(names(await registry.list(context(), pods, undefined, { fieldSelector: 'spec.nodeName=n3,metadata.name!=p003' })), [
    'p013',
    'p023',
    'p033',
    'p043',
    'p053',
    'p063',
    'p073',
    'p083',
    'p093',
  ]);
  assert.deepEqual(names(await registry.list(context(), pods, 'default', { fieldSelector: 'metadata.name=p042' })), ['p042']);
  assert.deepEqual(
    names(await registry.list(context(), pods, undefined, { fieldSelector: 'metadata.name=p042,metadata.namespace=default' })),
    ['p042'],
  );
  await assert.rejects(
    async () => registry.list(context(), pods, 'default', { fieldSelector: 'spec.foo=1' }),
    (error: Error) => isReason(error, 'BadRequest') && error.message === 'field label not supported: spec.foo',
  );
});

test('pages show the state of the first one, whatever happens meanwhile', async () => {
  const { registry } = await withPods(10);
  const first = await registry.list(context(), pods, 'default', { limit: 4 });
  assert.deepEqual(names(first), ['p000', 'p001', 'p002', 'p003']);
  assert.equal(first.remainingItemCount, 6);
  await registry.delete(context(), pods, 'default', 'p005', { gracePeriodSeconds: 0 });
  await registry.create(context(), pods, 'default', pod('p0045'), {});
  const second = await registry.list(context(), pods, 'default', { limit: 4, continue: first.continue! });
  assert.deepEqual(names(second), ['p004', 'p005', 'p006', 'p007']);
  assert.equal(second.revision, first.revision);
  const third = await registry.list(context(), pods, 'default', { limit: 4, continue: second.continue! });
  assert.deepEqual(names(third), ['p008', 'p009']);
  assert.equal(third.continue, undefined);
  const exact = await registry.list(context(), pods, 'default', { resourceVersion: String(first.revision), resourceVersionMatch: 'Exact' });
  assert.equal(exact.items.length, 10);
  assert.ok(names(exact).includes('p005'));
});

test('a token whose state is forgotten is answered with 410 and a token to go on', async () => {
  const { registry, store, clock } = await withPods(10);
  const first = await registry.list(context(), pods, 'default', { limit: 4 });
  await registry.create(context(), pods, 'default', pod('p0035'), {});
  await registry.create(context(), pods, 'default', pod('p0036'), {});
  clock.advance(300_000);
  await registry.create(context(), pods, 'default', pod('p0037'), {});
  clock.advance(300_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(store.compactedRevision > first.revision);
  let next = '';
  await assert.rejects(async () => registry.list(context(), pods, 'default', { limit: 4, continue: first.continue! }), (error: Error) => {
    assert.ok(error instanceof StatusError && error.status.code === 410 && error.status.reason === 'Expired');
    next = (error.status.metadata as { continue?: string }).continue!;
    return error.message.startsWith('The provided continue parameter is too old to display a consistent list result.');
  });
  assert.deepEqual(names(await registry.list(context(), pods, 'default', { limit: 2, continue: next })), ['p004', 'p005']);
  await assert.rejects(
    async () => registry.list(context(), pods, 'default', { resourceVersion: String(first.revision), resourceVersionMatch: 'Exact' }),
    /The resourceVersion for the provided list is too old/,
  );
});

test('bad tokens and options are refused', async () => {
  const { registry } = await fixture();
  const tries: [object, RegExp][] = [
    [{ continue: '%%%' }, /continue key is not valid/],
    [{ continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":5,"start":"../../secrets/x"}').toString('base64url') }, /continue key is not valid/],
    [{ continue: Buffer.from('{"v":"x","rv":5,"start":"a"}').toString('base64url') }, /does not recognize this encoded version/],
    [{ resourceVersion: 'abc' }, /Invalid value: "abc"/],
    [{ resourceVersionMatch: 'Exact' }, /resourceVersionMatch is forbidden unless resourceVersion is provided/],
    [{ resourceVersionMatch: 'Exact', resourceVersion: '0' }, /is forbidden for resourceVersion "0"/],
    [{ resourceVersionMatch: 'Near', resourceVersion: '1' }, /Unsupported value: "Near"/],
    [{ labelSelector: 'a in' }, /unable to parse requirement/],
  ];
  for (const [options, message] of tries) {
    await assert.rejects(async () => registry.list(context(), configMaps, 'default', options), message);
  }
});

test('a revision that is not there yet is waited for, and not for ever', async () => {
  const { registry, clock } = await fixture();
  const wanted = String(registry.revision + 1);
  const soon = Promise.resolve(registry.list(context(), configMaps, 'default', { resourceVersion: wanted }));
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  assert.deepEqual(names(await soon), ['a']);
  const never = Promise.resolve(registry.get(context(), configMaps, 'default', 'a', { resourceVersion: '1000' }));
  clock.advance(3000);
  await assert.rejects(
    never,
    (error: Error) =>
      error instanceof StatusError && error.status.code === 504 && /Too large resource version: 1000, current: \d+/.test(error.message),
  );
});
