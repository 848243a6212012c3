import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Images } from '../../images/images.ts';
import { BuildCache, keyOf } from './cache.ts';
import type { StepResult } from './cache.ts';
import { CacheMounts } from './cache-mounts.ts';

type Parts = Pick<Images, 'content' | 'snapshots' | 'hold' | 'collect'>;

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'cache-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** An image store that has all chains but those that are gone. */
function store(gone: ReadonlySet<string> = new Set()): Parts & { readonly held: Set<string> } {
  const held = new Set<string>();
  return {
    held,
    hold: (names) => {
      for (const name of names) held.add(name);
      return () => {
        for (const name of names) held.delete(name);
      };
    },
    collect: () => Promise.resolve({ bytes: 0, deleted: [] }),
    snapshots: { has: (chain: string) => !gone.has(chain) } as Images['snapshots'],
    content: { has: () => Promise.resolve(true) } as unknown as Images['content'],
  };
}

const step = (n: number): StepResult => ({
  chainId: `chain-${n}`,
  layer: { descriptor: { mediaType: 'x', digest: `sha256:${n}`, size: 100 }, diffId: `sha256:${n}` },
  createdMs: n,
});
const look = { ignore: false, onCached: () => {} };

test('a step is done once, kept over a restart, and forgotten when its layer is gone', async (t) => {
  const path = join(place(t), 'cache.log');
  const images = store();
  let cache = await BuildCache.open(path, images, systemClock);
  let runs = 0;
  const work = (): Promise<StepResult> => Promise.resolve(step(++runs));
  assert.equal((await cache.run('a', 'RUN a', work, look)).chainId, 'chain-1');
  let cached = false;
  assert.equal((await cache.run('a', 'RUN a', work, { ...look, onCached: () => (cached = true) })).chainId, 'chain-1');
  assert.equal(cached, true);
  assert.equal((await cache.run('a', 'RUN a', work, { ...look, ignore: true })).chainId, 'chain-2');
  assert.deepEqual([...images.held].sort(), ['chain-2', 'sha256:2']);
  await cache.close();
  cache = await BuildCache.open(path, images, systemClock);
  assert.equal((await cache.run('a', 'RUN a', work, look)).chainId, 'chain-2');
  await cache.close();
  cache = await BuildCache.open(path, store(new Set(['chain-2'])), systemClock);
  assert.equal((await cache.run('a', 'RUN a', work, look)).chainId, 'chain-3');
  await cache.close();
});

test('two builds that want the same step run it once; one that gives up does not spoil it for the other', async (t) => {
  const cache = await BuildCache.open(join(place(t), 'cache.log'), store(), systemClock);
  let runs = 0;
  let finish: ((result: StepResult) => void) | undefined;
  const slow = (): Promise<StepResult> => (runs++, new Promise((resolve) => (finish = resolve)));
  const both = [cache.run('a', '', slow, look), cache.run('a', '', slow, look)];
  await systemClock.sleep(1);
  finish!(step(1));
  assert.deepEqual((await Promise.all(both)).map((result) => result.chainId), ['chain-1', 'chain-1']);
  assert.equal(runs, 1);
  let fail: ((error: Error) => void) | undefined;
  const given = cache.run('b', '', () => new Promise((_, reject) => (fail = reject)), look);
  const other = cache.run('b', '', () => Promise.resolve(step(2)), look);
  fail!(new LongshoreError('canceled', 'the build was cancelled'));
  await assert.rejects(given, { code: 'canceled' });
  assert.equal((await other).chainId, 'chain-2');
  await cache.close();
});

test('pruning: by age, by size, all', async (t) => {
  let now = 1000;
  const images = store();
  const cache = await BuildCache.open(join(place(t), 'cache.log'), images, { ...systemClock, now: () => now });
  for (let n = 1; n <= 4; n++) {
    now = n * 1000;
    await cache.run(`k${n}`, `RUN ${n}`, () => Promise.resolve(step(n)), look);
  }
  now = 10_000;
  await cache.run('k1', '', () => Promise.reject(new Error('not again')), look);
  assert.deepEqual((await cache.prune({ all: false, untilMs: 2500 })).ids, ['k2'], 'the first was used again');
  assert.deepEqual(await cache.prune({ all: false, keepBytes: 200 }), { ids: ['k3'], bytes: 100 });
  assert.deepEqual(cache.usage().map((record) => [record.id, record.bytes, record.usageCount]), [['k1', 100, 1], ['k4', 100, 0]]);
  assert.deepEqual(new Set((await cache.prune({ all: true })).ids), new Set(['k1', 'k4']));
  assert.deepEqual([...images.held], []);
  await cache.close();
});

test('keys differ with what they are made of', () => {
  assert.equal(keyOf('a', ['b']), keyOf('a', ['b']));
  assert.notEqual(keyOf('a', ['b']), keyOf('a', 'b'));
  assert.notEqual(keyOf('ab'), keyOf('a', 'b'));
});

test('cache mounts: shared, locked in turn, private on the side', async (t) => {
  const mounts = new CacheMounts(place(t));
  const owner = { uid: 0, gid: 0, mode: 0o755 };
  const { signal } = new AbortController();
  const [a, b] = [await mounts.take('id', 'shared', owner, signal), await mounts.take('id', 'shared', owner, signal)];
  assert.equal(a.path, b.path);
  const [p, q] = [await mounts.take('id', 'private', owner, signal), await mounts.take('id', 'private', owner, signal)];
  assert.notEqual(p.path, q.path);
  await q.release();
  await p.release();
  assert.equal((await mounts.take('id', 'private', owner, signal)).path, p.path);
  const order: string[] = [];
  const first = await mounts.take('l', 'locked', owner, signal);
  const second = mounts.take('l', 'locked', owner, signal).then(async (taken) => {
    order.push('second');
    await taken.release();
  });
  const gone = new AbortController();
  const third = mounts.take('l', 'locked', owner, gone.signal);
  gone.abort(new Error('gone'));
  await assert.rejects(third, /gone/);
  order.push('released');
  await first.release();
  await second;
  assert.deepEqual(order, ['released', 'second']);
  await (await mounts.take('l', 'locked', owner, signal)).release();
});
