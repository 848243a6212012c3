import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Clock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { startAutoCompaction } from './auto-compact.ts';
import type { AutoCompactionOptions } from './auto-compact.ts';
import { openMemoryStore } from './memory-store.ts';
import type { Store } from './store.ts';

/** A clock that stands still until it is moved. */
class ManualClock implements Clock {
  #now = 0;
  timers: { at: number; fn: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  sleep(): Promise<void> {
    throw new Error('not used here');
  }

  async advance(ms: number): Promise<void> {
    for (const until = this.#now + ms; ; ) {
      this.timers.sort((a, b) => a.at - b.at);
      const next = this.timers[0];
      if (next === undefined || next.at > until) {
        this.#now = until;
        return;
      }
      this.timers.shift();
      this.#now = next.at;
      next.fn();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function start(
  t: TestContext,
  bounds: Partial<AutoCompactionOptions> = {},
): Promise<{ readonly store: Store; readonly clock: ManualClock; readonly stop: () => void }> {
  const store = await openMemoryStore();
  const clock = new ManualClock();
  const stop = startAutoCompaction({ store, clock, logger: silentLogger, ...bounds });
  t.after(() => store.close());
  return { store, clock, stop };
}

const write = async (store: Store, count: number, bytes = 10): Promise<void> => {
  for (let n = 0; n < count; n++) {
    await store.txn({ compare: [], success: [{ type: 'put', key: `k${n % 5}`, value: new Uint8Array(bytes) }] });
  }
};

describe('automatic compaction', () => {
  test('keeps history for five minutes, and then forgets it', async (t) => {
    const { store, clock } = await start(t);
    await write(store, 10);
    await clock.advance(4 * 60_000);
    assert.equal(store.compactedRevision, 1);
    await write(store, 10);
    await clock.advance(90_000);
    assert.equal(store.compactedRevision, 11, 'the first ten are old');
    await clock.advance(10 * 60_000);
    assert.equal(store.compactedRevision, store.revision);
    assert.equal(store.stats().history, 0);
    assert.equal(clock.timers.length, 0, 'an idle store has no timer');
  });

  test('bounds the count of revisions', async (t) => {
    const { store } = await start(t, { keepRevisions: 100 });
    for (let n = 0; n < 50; n++) {
      await write(store, 10);
      assert.ok(store.stats().history <= 110, `${store.stats().history}`);
    }
    assert.ok(store.stats().history >= 90);
  });

  test('bounds the bytes', async (t) => {
    const { store } = await start(t, { keepBytes: 100_000 });
    for (let n = 0; n < 50; n++) {
      await write(store, 10, 1_000);
      assert.ok(store.stats().history <= 112, `${store.stats().history}`);
    }
    assert.ok(store.stats().history >= 90);
  });

  test('stops when told to, and when the store closes', async (t) => {
    const first = await start(t, { keepRevisions: 10 });
    await write(first.store, 5);
    first.stop();
    await write(first.store, 50);
    await first.clock.advance(60 * 60_000);
    assert.deepEqual([first.store.compactedRevision, first.clock.timers.length], [1, 0]);
    const second = await start(t);
    await write(second.store, 5);
    await second.store.close();
    assert.equal(second.clock.timers.length, 0);
  });
});
