import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../lib/log.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import { FakeTransport, status } from './fake-transport.test-helper.ts';
import { InformerFactory } from './informer-factory.ts';
import { Informer } from './informer.ts';
import { ManualClock, SeededRandom, settle } from './manual-clock.test-helper.ts';
import { configMaps, pods } from './resources.ts';

function setUp() {
  const clock = new ManualClock();
  const random = new SeededRandom(1);
  const transport = new FakeTransport({ clock, random });
  const deps = { transport, clock, random, logger: silentLogger };
  return { clock, transport, deps };
}

const pod = (name: string, labels: Record<string, string> = {}): KubeObject => ({ metadata: { name, labels } });

function record(informer: Informer): string[] {
  const log: string[] = [];
  informer.on({
    add: (o) => log.push(`+${o.metadata!.name}`),
    update: (old, o) => log.push(`~${o.metadata!.name} ${old.metadata!.resourceVersion}->${o.metadata!.resourceVersion}`),
    delete: (o) => log.push(`-${o.metadata!.name}`),
  });
  return log;
}

test('lists, then follows; handlers get old and new', async () => {
  const { transport, deps } = setUp();
  await transport.create(pods, 'a', pod('one'));
  const informer = new Informer(pods, {}, deps);
  const log = record(informer);
  informer.start();
  await informer.synced;
  await settle();
  await transport.create(pods, 'b', pod('two'));
  transport.edit(pods, 'a', 'one', (o) => (o.metadata!.labels = { x: 'y' }));
  await transport.delete(pods, 'b', 'two');
  assert.deepEqual(log, ['+one', '+two', '~one 1->3', '-two']);
  assert.deepEqual([...informer.store.keys()], ['a/one']);
  assert.deepEqual([...informer.store.inNamespace('b')], []);
  informer.stop();
  assert.equal(transport.watchers, 0);
});

test('resumes from the last version after a broken watch, without a second list', async () => {
  const { transport, deps, clock } = setUp();
  const informer = new Informer(pods, {}, deps);
  const log = record(informer);
  informer.start();
  await informer.synced;
  await settle();
  let lists = 0;
  transport.fail = (verb) => (verb === 'list' ? (lists++, undefined) : undefined);
  await clock.advance(5000);
  transport.breakWatches(new Error('connection reset'));
  await transport.create(pods, 'a', pod('meanwhile'));
  assert.deepEqual(log, []);
  await clock.advance(1000);
  assert.deepEqual(log, ['+meanwhile']);
  assert.equal(lists, 0);
  informer.stop();
});

test('lists again after 410, and tells what was deleted meanwhile', async () => {
  const { transport, deps, clock } = setUp();
  await transport.create(pods, 'a', pod('stays'));
  await transport.create(pods, 'a', pod('goes'));
  await transport.create(pods, 'a', pod('replaced'));
  const informer = new Informer(pods, {}, deps);
  const log = record(informer);
  informer.start();
  await informer.synced;
  await settle();
  await clock.advance(5000);
  transport.breakWatches();
  await transport.delete(pods, 'a', 'goes');
  await transport.delete(pods, 'a', 'replaced');
  await transport.create(pods, 'a', pod('replaced'));
  transport.compact();
  log.length = 0;
  await clock.advance(5000);
  assert.deepEqual(log, ['-replaced', '+replaced', '-goes']);
  informer.stop();
});

test('backs off while the server fails, and then syncs', async () => {
  const { transport, deps, clock } = setUp();
  let tries = 0;
  transport.fail = (verb) => (verb === 'list' && ++tries < 6 ? status(503, 'ServiceUnavailable', 'starting') : undefined);
  const informer = new Informer(pods, {}, deps);
  informer.start();
  await clock.advance(1000);
  assert.ok(tries >= 2 && tries <= 4, `tried ${tries} times in the first second`);
  await clock.advance(30_000);
  assert.equal(informer.hasSynced, true);
  informer.stop();
  assert.equal(clock.pending, 0);
});

test('a bookmark moves the version on, so that a later compaction does not cost a list', async () => {
  const { transport, deps, clock } = setUp();
  const informer = new Informer(pods, {}, deps);
  informer.start();
  await informer.synced;
  await settle();
  await transport.create(configMaps, 'a', pod('other-kind'));
  transport.bookmark();
  transport.compact();
  let lists = 0;
  transport.fail = (verb) => (verb === 'list' ? (lists++, undefined) : undefined);
  await clock.advance(5000);
  transport.breakWatches();
  await clock.advance(1000);
  assert.equal(lists, 0);
  assert.equal(transport.watchers, 1);
  informer.stop();
});

test('indexes follow changes; selectors see objects come and go', async () => {
  const { transport, deps } = setUp();
  const factory = new InformerFactory(deps);
  const all = factory.for(pods);
  const some = factory.for(pods, { labelSelector: 'app=web' });
  assert.equal(factory.for(pods), all);
  assert.notEqual(all, some);
  all.addIndex('app', (object) => object.metadata?.labels?.['app']);
  const log = record(some);
  factory.start();
  await factory.synced();
  await settle();
  await transport.create(pods, 'a', pod('one', { app: 'web' }));
  await transport.create(pods, 'a', pod('two', { app: 'db' }));
  assert.deepEqual([...all.store.byIndex('app', 'web')].map((o) => o.metadata!.name), ['one']);
  transport.edit(pods, 'a', 'one', (o) => (o.metadata!.labels = { app: 'db' }));
  assert.equal(all.store.countByIndex('app', 'web'), 0);
  assert.equal(all.store.countByIndex('app', 'db'), 2);
  assert.throws(() => all.store.byIndex('nope', ''), RangeError);
  assert.deepEqual(log, ['+one', '-one']);
  const late = factory.for(configMaps);
  await late.synced;
  factory.stop();
});

test('a handler that throws keeps neither others nor the cache from the change', async () => {
  const { transport, deps } = setUp();
  const informer = new Informer(pods, {}, deps);
  informer.on({ add: () => { throw new Error('broken handler'); } });
  const log = record(informer);
  informer.start();
  await informer.synced;
  await settle();
  await transport.create(pods, 'a', pod('one'));
  assert.deepEqual(log, ['+one']);
  assert.equal(informer.store.size, 1);
  informer.stop();
});
