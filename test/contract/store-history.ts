/** The part of the store's contract that is about time: watches, compaction, the end and what outlives it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { prefixEnd } from '../../src/control-plane/store/store.ts';
import type { Store, TxnResult } from '../../src/control-plane/store/store.ts';
import { isCode } from '../../src/lib/errors.ts';
import { Collector, Model, code, del, dump, plain, put, randomTxn, seeded, turn, write } from './store-kit.ts';
import type { StoreFactory } from './store-kit.ts';

export function watches({ open }: StoreFactory): void {
  test('shows what happens after the call, of its prefix, with what was before', async (t) => {
    const store = await open(t);
    await store.txn(write(put('a/1', 'old')));
    const watched = new Collector();
    store.watch({ prefix: 'a/' }, watched);
    await store.txn(write(put('b/1')));
    await store.txn(write(put('a/1', 'new'), put('b/2'), put('a/2')));
    await store.txn(write(del('a/1')));
    assert.deepEqual(await watched.until(5), [
      ['put', ['a/1', 'new', 2, 4, 2], ['a/1', 'old', 2, 2, 1]],
      ['put', ['a/2', 'v', 4, 4, 1], undefined],
      ['delete', 'a/1', 5, 0, ['a/1', 'new', 2, 4, 2]],
    ]);
  });

  test('starts at an earlier revision, at the next, and at a later one', async (t) => {
    const store = await open(t);
    for (const key of ['a', 'b', 'c']) await store.txn(write(put(key)));
    const [early, next, late] = [new Collector(), new Collector(), new Collector()];
    store.watch({ prefix: '', fromRevision: 3 }, early);
    store.watch({ prefix: '', fromRevision: 5 }, next);
    store.watch({ prefix: '', fromRevision: 6 }, late);
    assert.equal(early.batches.length, 0, 'nothing is delivered before watch returns');
    await Promise.all(['d', 'e', 'f'].map((key) => store.txn(write(put(key)))));
    const keys = async (watched: Collector): Promise<string> => {
      await watched.until(7);
      return watched.all.map((event) => event.kv.key).join('');
    };
    assert.deepEqual([await keys(early), await keys(next), await keys(late)], ['bcdef', 'def', 'ef']);
    assert.throws(() => store.watch({ prefix: '', fromRevision: 1.5 }, late), code('invalid'));
  });

  test('has no gap and nothing twice, wherever it starts among running writers; a transaction comes whole', async (t) => {
    const store = await open(t);
    const watched: { readonly from: number; readonly sink: Collector }[] = [];
    const writer = async (name: string): Promise<void> => {
      for (let n = 0; n < 60; n++) {
        await store.txn(write(put(`${name}/x`, String(n)), put(`${name}/y`, String(n))));
        if (n % 10 === 0) {
          const from = 1 + Math.floor((store.revision * n) / 60);
          const sink = new Collector();
          store.watch({ prefix: '', fromRevision: from }, sink);
          watched.push({ from, sink });
        }
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(writer));
    for (const { from, sink } of watched) {
      await sink.until(store.revision);
      const revisions = sink.all.map((event) => event.kv.modRevision);
      const wanted = Array.from({ length: (store.revision - Math.max(from, 2) + 1) * 2 }, (_, n) => Math.max(from, 2) + Math.floor(n / 2));
      assert.deepEqual(revisions, wanted);
      let after = 0;
      for (const { events, revision } of sink.batches) {
        assert.ok(events[0]!.kv.modRevision > after && events.at(-1)!.kv.modRevision <= revision, 'batches hold whole transactions in order');
        after = revision;
      }
    }
  });

  test('a stopped watch hears nothing more, also when stopped from within', async (t) => {
    const store = await open(t);
    const first = new Collector();
    const stop = store.watch({ prefix: '' }, first);
    let heard = 0;
    const stopItself = store.watch({ prefix: '' }, { events: () => (heard++, stopItself(), stop()), ended: () => assert.fail('was stopped') });
    const other = new Collector();
    store.watch({ prefix: '' }, other);
    const past = new Collector();
    await store.txn(write(put('a')));
    store.watch({ prefix: '', fromRevision: 1 }, past)();
    await store.txn(write(put('b')));
    await turn();
    stop();
    assert.deepEqual([heard, first.all.length <= 1, other.all.length, past.all.length], [1, true, 2, 0]);
  });

  test('a sink may write and watch', async (t) => {
    const store = await open(t);
    const inner = new Collector();
    const answers: Promise<TxnResult>[] = [];
    const stop = store.watch(
      { prefix: 'a' },
      {
        events: () => {
          answers.push(store.txn(write(put('b'))));
          store.watch({ prefix: '' }, inner);
          stop();
        },
        ended: () => {},
      },
    );
    await store.txn(write(put('a')));
    assert.deepEqual(await Promise.all(answers), [{ succeeded: true, revision: 3 }]);
    assert.deepEqual(inner.all.map((event) => event.kv.key), ['b']);
  });
}

export function compaction({ open }: StoreFactory): void {
  test('forgets what was before, and nothing else', async (t) => {
    const store = await open(t);
    await store.txn(write(put('a', '1'), put('gone', '1'), put('still', '1')));
    await store.txn(write(put('a', '2'), del('gone')));
    await store.txn(write(put('a', '3')));
    await store.txn(write(put('a', '4')));
    const [at4, at5] = [dump(store, 4), dump(store, 5)];
    const live = new Collector();
    store.watch({ prefix: '' }, live);
    await store.compact(4);
    await turn();
    assert.equal(store.compactedRevision, 4);
    assert.equal(store.revision, 5);
    assert.deepEqual([dump(store, 4), dump(store, 5), dump(store)], [at4, at5, at5]);
    assert.throws(() => store.get('a', 3), code('gone'));
    assert.throws(() => store.range('a', 'b', { revision: 3 }), code('gone'));
    assert.throws(() => store.watch({ prefix: '', fromRevision: 3 }, new Collector()), code('gone'));
    const watched = new Collector();
    store.watch({ prefix: '', fromRevision: 4 }, watched);
    assert.deepEqual(await watched.until(5), [
      ['put', ['a', '3', 2, 4, 3], ['a', '2', 2, 3, 2]],
      ['put', ['a', '4', 2, 5, 4], ['a', '3', 2, 4, 3]],
    ]);
    await store.txn(write(put('gone', 'again')));
    assert.deepEqual(plain(store.get('gone')), ['gone', 'again', 6, 6, 1]);
    assert.equal(live.all.length, 1);
  });

  test('twice, backwards, and into the future', async (t) => {
    const store = await open(t);
    for (const key of ['a', 'b', 'c']) await store.txn(write(put(key)));
    await store.compact(3);
    await store.compact(3);
    await store.compact(2);
    assert.equal(store.compactedRevision, 3);
    await assert.rejects(store.compact(5), code('invalid'));
    await store.compact(4);
    assert.deepEqual([store.compactedRevision, store.stats().history, dump(store).length], [4, 0, 3]);
  });

  test('frees all the keys of a store that was emptied', async (t) => {
    const store = await open(t);
    const keys = Array.from({ length: 500 }, (_, n) => `k/${n}`);
    await Promise.all(keys.map((key) => store.txn(write(put(key)))));
    await Promise.all(keys.map((key, n) => (n % 7 === 0 ? store.txn(write()) : store.txn(write(del(key))))));
    await store.compact(store.revision);
    await turn();
    await Promise.all(keys.map((key) => store.txn({ compare: [{ key, version: 0 }], success: [put(key, 'new')], failure: [del(key)] })));
    const { entries, count } = store.range('k/', prefixEnd('k/'));
    assert.equal(count, keys.length - Math.ceil(keys.length / 7));
    assert.ok(entries.every((kv) => kv.version === 1 && Buffer.from(kv.value).toString() === 'new'));
  });
}

export function closing({ open }: StoreFactory): void {
  test('close lets pending writes through, ends watches, and refuses what follows', async (t) => {
    const store = await open(t);
    const watched = new Collector();
    store.watch({ prefix: '' }, watched);
    const pending = Array.from({ length: 20 }, (_, n) => store.txn(write(put(`k${n}`))));
    const closed = store.close();
    await assert.rejects(store.txn(write(put('late'))), code('unavailable'));
    await closed;
    assert.deepEqual((await Promise.all(pending)).at(-1), { succeeded: true, revision: 21 });
    assert.ok(isCode(await watched.untilEnded(), 'unavailable'));
    assert.equal(watched.all.length, 20);
    await assert.rejects(store.txn(write(put('late'))), code('unavailable'));
    await assert.rejects(store.compact(5), code('unavailable'));
    assert.throws(() => store.watch({ prefix: '' }, watched), code('unavailable'));
    await store.close();
  });
}

export function durability({ open }: StoreFactory, reopen: (store: Store, t: TestContext) => Promise<Store>): void {
  test('keeps state, revisions and versions', async (t) => {
    let store = await open(t);
    await store.txn(write(put('a', '1'), put('b', '1'), put('ü😀', '1')));
    await store.txn(write(put('a', '2'), del('b')));
    store = await reopen(store, t);
    assert.deepEqual(dump(store), [['a', '2', 2, 3, 2], ['ü😀', '1', 2, 2, 1]]);
    assert.deepEqual([store.revision, store.compactedRevision, store.stats().bytes], [3, 1, 2]);
    assert.deepEqual(dump(store, 2).length, 3);
    assert.deepEqual(await store.txn({ compare: [{ key: 'a', modRevision: 3 }], success: [put('a', '3')] }), { succeeded: true, revision: 4 });
    assert.deepEqual(plain(store.get('a')), ['a', '3', 2, 4, 3]);
  });

  test('watches and reads history from before, and remembers a compaction', async (t) => {
    let store = await open(t);
    for (let n = 0; n < 10; n++) await store.txn(write(n % 3 === 2 ? del('a') : put('a', String(n)), put('b', String(n))));
    await store.compact(5);
    const before = new Collector();
    store.watch({ prefix: '', fromRevision: 5 }, before);
    const wanted = await before.until(11);
    const states = [5, 6, 7, 8].map((revision) => dump(store, revision));
    store = await reopen(store, t);
    assert.equal(store.compactedRevision, 5);
    assert.throws(() => store.watch({ prefix: '', fromRevision: 4 }, new Collector()), code('gone'));
    assert.deepEqual([5, 6, 7, 8].map((revision) => dump(store, revision)), states);
    const after = new Collector();
    store.watch({ prefix: '', fromRevision: 5 }, after);
    await store.txn(write(put('c')));
    assert.deepEqual((await after.until(12)).slice(0, -1), wanted);
  });

  test('agrees with a naive model through random transactions, compactions and restarts', async (t) => {
    let store = await open(t);
    const model = new Model();
    const random = seeded(42);
    for (let round = 0; round < 30; round++) {
      const answers = Array.from({ length: 1 + random(40) }, (_, n) => {
        const request = randomTxn(random, model, round * 100 + n);
        return { got: store.txn(request), wanted: model.txn(request) };
      });
      for (const { got, wanted } of answers) assert.deepEqual(await got, wanted);
      if (random(3) === 0) await store.compact(store.compactedRevision + random(store.revision - store.compactedRevision + 1));
      if (random(3) !== 0) continue;
      const compacted = store.compactedRevision;
      store = await reopen(store, t);
      assert.deepEqual([store.revision, store.compactedRevision], [model.revision, compacted]);
      assert.deepEqual(dump(store), model.dump());
      for (let n = 0; n < 5; n++) {
        const revision = compacted + random(store.revision - compacted + 1);
        assert.deepEqual(dump(store, revision), model.dump(revision));
      }
      const replay = new Collector();
      store.watch({ prefix: '', fromRevision: compacted }, replay);
      assert.deepEqual(await replay.until(store.revision), model.eventsFrom(compacted));
    }
  });
}
