import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import { silentLogger } from '../../../lib/log.ts';
import type { Random } from '../../../lib/random.ts';
import type { Store, TxnResult } from '../store.ts';
import { FakeDisk } from './fake-disk.ts';
import type { Fault } from './fake-disk.ts';
import { openLogStoreIn } from './open-log-store.ts';

/** Whole numbers below the argument, the same for the same seed (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const KEYS = 12;

function openOn(disk: FakeDisk, random: (below: number) => number): Promise<Store> {
  const salts: Random = { bytes: (n) => Buffer.from(Array.from({ length: n }, () => random(256))) };
  return openLogStoreIn(disk, () => {}, {
    clock: systemClock,
    logger: silentLogger,
    random: salts,
    segmentBytes: 1_500,
    checkpointBytes: 2_500,
  });
}

/** What was asked for, in the order of the calls, and how far it was acknowledged. */
class Journal {
  /** The value written at each revision: the store decides in the order of the calls, so it is known beforehand. */
  readonly writes: { readonly key: string; readonly value: string }[] = [];
  acknowledged = 1;
  compacted = 1;

  /** Checks that `store` holds all acknowledged writes, and of the others a first part. */
  check(store: Store): void {
    assert.ok(store.revision >= this.acknowledged, `revision ${store.revision} is left, ${this.acknowledged} was acknowledged`);
    assert.ok(store.revision <= this.writes.length + 1);
    assert.ok(store.compactedRevision >= this.compacted, 'a compaction was lost');
    for (let revision = store.compactedRevision; revision <= store.revision; revision++) {
      const state = new Map<string, string>();
      for (const { key, value } of this.writes.slice(0, revision - 1)) state.set(key, value);
      const got = store.range('k', 'l', { revision }).entries.map((kv) => [kv.key, Buffer.from(kv.value).toString()]);
      assert.deepEqual(got, [...state].sort(([a], [b]) => (a < b ? -1 : 1)), `at revision ${revision}`);
    }
  }
}

/** Writes, in several hands, until something fails. */
async function work(store: Store, journal: Journal, random: (below: number) => number, count: number): Promise<void> {
  const hand = async (): Promise<void> => {
    for (let n = 0; n < count; n++) {
      const revision = journal.writes.length + 2;
      const write = { key: `k${String(random(KEYS)).padStart(2, '0')}`, value: `${revision} ${'x'.repeat(random(300))}` };
      journal.writes.push(write);
      const result = await store.txn({ compare: [], success: [{ type: 'put', key: write.key, value: Buffer.from(write.value) }] });
      assert.equal(result.revision, revision);
      journal.acknowledged = Math.max(journal.acknowledged, revision);
      if (random(12) === 0) {
        const to = Math.max(1, store.revision - random(20));
        await store.compact(to);
        journal.compacted = Math.max(journal.compacted, to);
      }
    }
  };
  const results = await Promise.allSettled([hand(), hand(), hand()]);
  for (const result of results) {
    if (result.status === 'rejected' && !isCode(result.reason, 'unavailable')) throw result.reason;
  }
}

/** A life of a store in which power fails three times, at calls that the seed chooses. */
async function life(seed: number, weaken: (disk: FakeDisk) => void = () => {}): Promise<void> {
  const random = seeded(seed);
  let disk = new FakeDisk();
  const journal = new Journal();
  for (let failure = 0; failure < 3; failure++) {
    weaken(disk);
    const at = random(failure === 0 ? 150 : 250);
    disk.fault = (call) => (call === at ? 'power' : undefined);
    try {
      const store = await openOn(disk, random);
      journal.check(store);
      // What this store holds beyond the acknowledged is what later writes build on.
      journal.writes.length = store.revision - 1;
      journal.acknowledged = store.revision;
      await work(store, journal, random, 40);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('EIO'))) throw error;
    }
    disk = disk.afterPowerLoss(random);
  }
  const store = await openOn(disk, random);
  journal.check(store);
  await store.close();
}

describe('power loss', () => {
  test('loses no acknowledged write, wherever it strikes', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      await life(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error });
      });
    }
  });

  test('is caught when the disk does not sync (the positive control of the test above)', async () => {
    let caught = 0;
    for (let seed = 1; seed <= 10; seed++) {
      await life(seed, (disk) => (disk.ignoreSync = true)).catch(() => caught++);
    }
    assert.ok(caught >= 5, `${caught} of 10`);
  });
});

describe('a disk that fails', () => {
  const write = (store: Store, key: string): Promise<TxnResult> => store.txn({ compare: [], success: [{ type: 'put', key, value: Buffer.from(key) }] });
  const keys = (store: Store): string => store.range('\0', '\uffff').entries.map((kv) => kv.key).join(' ');

  /** A store that fails as `fault` says at the first matching call, then works. */
  async function failing(verb: string, fault: Fault, times = 1): Promise<{ readonly store: Store; readonly disk: FakeDisk }> {
    const disk = new FakeDisk();
    const store = await openOn(disk, seeded(1));
    await write(store, 'a');
    let left = times;
    disk.fault = (_, name, called) => (called === verb && name.startsWith('wal') && left-- > 0 ? fault : undefined);
    return { store, disk };
  }

  for (const [verb, fault, wanted] of [
    ['write', 'full', 'exhausted'],
    ['write', 'short', 'exhausted'],
    ['sync', 'full', 'exhausted'],
    ['write', 'io', 'unavailable'],
    ['sync', 'io', 'unavailable'],
  ] as const) {
    test(`refuses a write whose ${verb} fails (${fault}) with ${wanted}, keeps nothing of it, and goes on`, async () => {
      const { store, disk } = await failing(verb, fault);
      const seen: string[] = [];
      store.watch({ prefix: '' }, { events: (events) => seen.push(...events.map((event) => event.kv.key)), ended: () => {} });
      await assert.rejects(write(store, 'b'), (error) => isCode(error, wanted) && (error as Error).message.includes('/fake'));
      assert.deepEqual([store.revision, keys(store)], [2, 'a']);
      assert.deepEqual(await write(store, 'c'), { succeeded: true, revision: 3 });
      assert.deepEqual(seen, ['c']);
      const again = await openOn(disk.afterPowerLoss(seeded(3)), seeded(2));
      assert.deepEqual([again.revision, keys(again)], [3, 'a c']);
    });
  }

  test('decides again what was decided on a write that then failed', async () => {
    const { store } = await failing('write', 'full');
    const failed = write(store, 'b');
    const create = store.txn({ compare: [{ key: 'b', modRevision: 0 }], success: [], failure: [{ type: 'delete', key: 'b' }] });
    const onlyReads = store.txn({ compare: [{ key: 'b', version: 1 }], success: [] });
    await assert.rejects(failed, (error) => isCode(error, 'exhausted'));
    assert.deepEqual(await onlyReads, { succeeded: false, revision: 2 });
    await assert.rejects(create, (error) => isCode(error, 'exhausted'));
    const late = store.txn({ compare: [{ key: 'b', modRevision: 0 }], success: [{ type: 'put', key: 'b', value: Buffer.from('x') }] });
    assert.deepEqual(await late, { succeeded: true, revision: 3 });
  });

  test('takes no write until it could take back the failed one', async () => {
    const { store, disk } = await failing('write', 'short');
    let broken = true;
    const { fault } = disk;
    disk.fault = (call, name, verb) => (verb === 'truncate' && broken ? 'io' : fault(call, name, verb));
    await assert.rejects(write(store, 'b'), (error) => isCode(error, 'exhausted'));
    await assert.rejects(write(store, 'c'), (error) => isCode(error, 'unavailable'));
    broken = false;
    await write(store, 'd');
    const again = await openOn(disk.afterPowerLoss(seeded(5)), seeded(2));
    assert.deepEqual([again.revision, keys(again)], [3, 'a d']);
  });

  test('a full disk while a file is begun or a snapshot written loses nothing', async () => {
    const disk = new FakeDisk();
    const store = await openOn(disk, seeded(1));
    const journal = new Journal();
    disk.fault = (call, name, verb) => (verb === 'create' || (verb === 'write' && name.endsWith('.tmp')) ? (call % 3 === 0 ? undefined : 'full') : undefined);
    await work(store, journal, seeded(9), 60);
    assert.equal(journal.acknowledged, 181);
    disk.fault = () => undefined;
    await work(store, journal, seeded(10), 60);
    await store.close();
    const again = await openOn(disk.afterPowerLoss(seeded(4)), seeded(2));
    journal.check(again);
    assert.equal(again.revision, 361);
  });
});
