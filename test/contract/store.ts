/**
 * What every state store must do: registers node:test cases for one
 * implementation of src/control-plane/store/store.ts.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { prefixEnd } from '../../src/control-plane/store/store.ts';
import type { Compare, TxnResult } from '../../src/control-plane/store/store.ts';
import { closing, compaction, durability, watches } from './store-history.ts';
import { Collector, Model, code, del, dump, plain, plainEvent, put, randomTxn, seeded, write } from './store-kit.ts';
import type { StoreFactory } from './store-kit.ts';

export type { StoreFactory } from './store-kit.ts';

/** Registers the suite. */
export function storeContract(name: string, factory: StoreFactory): void {
  describe(`store contract: ${name}`, () => {
    transactions(factory);
    visibility(factory);
    ranges(factory);
    watches(factory);
    compaction(factory);
    closing(factory);
    if (factory.reopen !== undefined) durability(factory, factory.reopen);
  });
}

function transactions({ open }: StoreFactory): void {
  test('an empty store is at revision 1', async (t) => {
    const store = await open(t);
    assert.equal(store.revision, 1);
    assert.equal(store.compactedRevision, 1);
    assert.equal(store.get('a'), undefined);
    assert.deepEqual(store.range('\0', '\uffff'), { entries: [], revision: 1, more: false, count: 0 });
    assert.deepEqual([store.stats().keys, store.stats().bytes], [0, 0]);
  });

  test('creates, updates, deletes and creates again, counting revisions and versions', async (t) => {
    const store = await open(t);
    assert.deepEqual(await store.txn(write(put('a', '1'))), { succeeded: true, revision: 2 });
    assert.deepEqual(plain(store.get('a')), ['a', '1', 2, 2, 1]);
    await store.txn(write(put('a', '2')));
    assert.deepEqual(plain(store.get('a')), ['a', '2', 2, 3, 2]);
    assert.deepEqual(await store.txn(write(del('a'))), { succeeded: true, revision: 4 });
    assert.equal(store.get('a'), undefined);
    await store.txn(write(put('a', '3')));
    assert.deepEqual(plain(store.get('a')), ['a', '3', 5, 5, 1]);
    assert.equal(store.revision, 5);
  });

  test('all keys of a transaction carry its one revision', async (t) => {
    const store = await open(t);
    await store.txn(write(put('a'), put('b'), put('c')));
    await store.txn(write(del('a'), put('b', 'w'), put('d')));
    assert.deepEqual(dump(store), [['b', 'w', 2, 3, 2], ['c', 'v', 2, 2, 1], ['d', 'v', 3, 3, 1]]);
    assert.equal(store.revision, 3);
  });

  test('what writes nothing does not raise the revision', async (t) => {
    const store = await open(t);
    await store.txn(write(put('a')));
    assert.deepEqual(await store.txn(write(del('absent'))), { succeeded: true, revision: 2 });
    assert.deepEqual(await store.txn(write()), { succeeded: true, revision: 2 });
    assert.deepEqual(await store.txn({ compare: [{ key: 'a', modRevision: 0 }], success: [put('a')] }), { succeeded: false, revision: 2 });
    assert.equal(store.revision, 2);
  });

  test('compares by revision and by version; all must hold; else the failure branch is applied', async (t) => {
    const store = await open(t);
    await store.txn(write(put('a'), put('b')));
    await store.txn(write(put('b', 'again')));
    const holds = async (...compare: Compare[]): Promise<boolean> => (await store.txn({ compare, success: [] })).succeeded;
    assert.equal(await holds({ key: 'a', modRevision: 2 }, { key: 'b', modRevision: 3 }, { key: 'c', modRevision: 0 }), true);
    assert.equal(await holds({ key: 'a', version: 1 }, { key: 'b', version: 2 }, { key: 'c', version: 0 }), true);
    assert.equal(await holds({ key: 'a', modRevision: 2 }, { key: 'b', modRevision: 2 }), false);
    assert.equal(await holds({ key: 'a', version: 0 }), false);
    const result = await store.txn({ compare: [{ key: 'a', modRevision: 0 }], success: [put('s')], failure: [put('f'), del('b')] });
    assert.deepEqual(result, { succeeded: false, revision: 4 });
    assert.deepEqual(dump(store), [['a', 'v', 2, 2, 1], ['f', 'v', 4, 4, 1]]);
    assert.equal(await holds({ key: 'b', modRevision: 0 }, { key: 'b', version: 0 }), true);
  });

  test('a key twice in a branch, or an empty one, is invalid and changes nothing', async (t) => {
    const store = await open(t);
    await assert.rejects(store.txn(write(put('a'), del('a'))), code('invalid'));
    await assert.rejects(store.txn({ compare: [], success: [put('a')], failure: [put('b'), put('b')] }), code('invalid'));
    await assert.rejects(store.txn(write(put(''))), code('invalid'));
    assert.deepEqual([store.revision, dump(store)], [1, []]);
    assert.deepEqual(await store.txn({ compare: [], success: [put('a')], failure: [put('a')] }), { succeeded: true, revision: 2 });
  });

  test('keeps values of any bytes, none, and a megabyte', async (t) => {
    const store = await open(t);
    const all = Uint8Array.from({ length: 256 }, (_, n) => n);
    const large = new Uint8Array(1_500_000).fill(7);
    await Promise.all([
      store.txn(write({ type: 'put', key: 'all', value: all })),
      store.txn(write({ type: 'put', key: 'none', value: new Uint8Array(0) })),
      store.txn(write({ type: 'put', key: 'large', value: large })),
    ]);
    assert.ok(Buffer.from(all).equals(store.get('all')!.value));
    assert.equal(store.get('none')!.value.length, 0);
    assert.ok(Buffer.from(large).equals(store.get('large')!.value));
    assert.deepEqual([store.stats().keys, store.stats().bytes], [3, 1_500_256]);
  });

  test('agrees with a naive model over random transactions, at every revision', async (t) => {
    const store = await open(t);
    const model = new Model();
    const random = seeded(20_260_101);
    const watched = new Collector();
    store.watch({ prefix: '/r/b' }, watched);
    for (let round = 0; round < 60; round++) {
      const answers = Array.from({ length: 1 + random(20) }, (_, n) => {
        const request = randomTxn(random, model, round * 100 + n);
        return { got: store.txn(request), wanted: model.txn(request) };
      });
      for (const { got, wanted } of answers) assert.deepEqual(await got, wanted);
      if (random(10) === 0) await store.compact(store.compactedRevision + random(store.revision - store.compactedRevision + 1));
    }
    assert.equal(store.revision, model.revision);
    const live = model.revisions.at(-1)!;
    assert.deepEqual([store.stats().keys, store.stats().bytes], [live.size, [...live.values()].reduce((sum, kv) => sum + kv.value.length, 0)]);
    for (let revision = store.compactedRevision; revision <= store.revision; revision++) {
      assert.deepEqual(dump(store, revision), model.dump(revision), `at revision ${revision}`);
      const prefix = model.dump(revision).filter((kv) => (kv as string[])[0]!.startsWith('/r/b'));
      assert.equal(store.range('/r/b', prefixEnd('/r/b'), { revision, limit: 1 }).count, prefix.length);
    }
    assert.deepEqual(watched.all.map(plainEvent), model.eventsFrom(0, '/r/b'));
    const replay = new Collector();
    store.watch({ prefix: '', fromRevision: store.compactedRevision }, replay);
    assert.deepEqual(await replay.until(store.revision), model.eventsFrom(store.compactedRevision));
  });
}

function visibility({ open }: StoreFactory): void {
  test('compares see pending writes; reads and watches do not', async (t) => {
    const store = await open(t);
    const watched = new Collector();
    store.watch({ prefix: '' }, watched);
    const create = (value: string): Promise<TxnResult> => store.txn({ compare: [{ key: 'a', modRevision: 0 }], success: [put('a', value)] });
    const answers = [create('first'), create('second'), store.txn({ compare: [{ key: 'a', version: 1 }], success: [put('a', 'third')] })];
    assert.deepEqual([store.get('a'), store.revision, watched.batches.length, store.range('a', 'b').count], [undefined, 1, 0, 0]);
    assert.deepEqual(await Promise.all(answers), [
      { succeeded: true, revision: 2 },
      { succeeded: false, revision: 2 },
      { succeeded: true, revision: 3 },
    ]);
    assert.deepEqual(plain(store.get('a')), ['a', 'third', 2, 3, 2]);
  });

  test('is visible when, and not before, its promise resolves', async (t) => {
    const store = await open(t);
    const seen: unknown[] = [];
    store.watch(
      { prefix: '' },
      { events: (events, revision) => seen.push([events.length, revision, store.revision >= revision]), ended: () => {} },
    );
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const { revision } = await store.txn(write(put(`k${n}`)));
        assert.ok(store.revision >= revision);
        assert.equal(store.get(`k${n}`)!.modRevision, revision);
      }),
    );
    assert.equal(seen.reduce((sum: number, batch) => sum + (batch as number[])[0]!, 0), 100);
    assert.ok(seen.every((batch) => (batch as boolean[])[2]));
  });

  test('a failed compare is answered after the write that made it fail', async (t) => {
    const store = await open(t);
    const order: string[] = [];
    const first = store.txn(write(put('a'))).then(() => order.push('write'));
    const failed = store.txn({ compare: [{ key: 'a', modRevision: 0 }], success: [] }).then((result) => {
      order.push('compare');
      assert.equal(result.succeeded, false);
      assert.equal(store.get('a')!.modRevision, 2, 'what made it fail can be read');
    });
    await Promise.all([first, failed]);
    assert.deepEqual(order, ['write', 'compare']);
  });

  test('answers come in the order of the calls', async (t) => {
    const store = await open(t);
    const order: number[] = [];
    await Promise.all(Array.from({ length: 50 }, (_, n) => store.txn(n % 3 === 0 ? write(del('x')) : write(put('a', String(n)))).then(() => order.push(n))));
    assert.deepEqual(order, Array.from({ length: 50 }, (_, n) => n));
  });
}

function ranges({ open }: StoreFactory): void {
  test('reads a range in order, without its end, with limit and count', async (t) => {
    const store = await open(t);
    for (const key of ['b/2', 'a/1', 'c/1', 'b/1', 'b', 'b0', 'b/10']) await store.txn(write(put(key)));
    const keys = (start: string, end: string, limit?: number): unknown[] => {
      const { entries, more, count } = store.range(start, end, limit === undefined ? {} : { limit });
      return [entries.map((kv) => kv.key), more, count];
    };
    assert.deepEqual(keys('b/', prefixEnd('b/')), [['b/1', 'b/10', 'b/2'], false, 3]);
    assert.deepEqual(keys('b/', prefixEnd('b/'), 2), [['b/1', 'b/10'], true, 3]);
    assert.deepEqual(keys('b/', prefixEnd('b/'), 3), [['b/1', 'b/10', 'b/2'], false, 3]);
    assert.deepEqual(keys('b/', prefixEnd('b/'), 0), [[], true, 3]);
    assert.deepEqual(keys('a', 'b'), [['a/1'], false, 1]);
    assert.deepEqual(keys('c', 'a'), [[], false, 0]);
    assert.deepEqual(keys('d', 'e'), [[], false, 0]);
  });

  test('orders keys by their UTF-16 code units', async (t) => {
    const store = await open(t);
    const keys = ['Z', 'a', 'ä', 'z', '😀', 'ﬀ', '€'];
    for (const key of keys) await store.txn(write(put(key)));
    assert.deepEqual(store.range('\0', '\uffff').entries.map((kv) => kv.key), keys.sort());
  });

  test('reads as of an earlier revision', async (t) => {
    const store = await open(t);
    await store.txn(write(put('a', '1'), put('b', '1')));
    await store.txn(write(put('a', '2'), del('b')));
    await store.txn(write(del('a'), put('b', '3')));
    assert.deepEqual(dump(store, 1), []);
    assert.deepEqual(dump(store, 2), [['a', '1', 2, 2, 1], ['b', '1', 2, 2, 1]]);
    assert.deepEqual(dump(store, 3), [['a', '2', 2, 3, 2]]);
    assert.deepEqual(plain(store.get('a', 3)), ['a', '2', 2, 3, 2]);
    assert.equal(store.get('a', 4), undefined);
    assert.equal(store.range('a', 'z', { revision: 3 }).revision, 3);
    assert.throws(() => store.get('a', 5), code('invalid'));
    assert.throws(() => store.range('a', 'b', { revision: 5 }), code('invalid'));
    assert.throws(() => store.range('a', 'b', { limit: -1 }), code('invalid'));
  });

  test('pages through an old revision of a few thousand keys while others write', async (t) => {
    const store = await open(t);
    const random = seeded(7);
    const keys = new Set<string>();
    while (keys.size < 3_000) keys.add(`/p/${random(1e9).toString(36)}`);
    await Promise.all([...keys].map((key) => store.txn(write(put(key)))));
    const { revision } = store;
    const wanted = [...keys].sort();
    const got: string[] = [];
    for (let start = '/p/', more = true; more; ) {
      const page = store.range(start, prefixEnd('/p/'), { revision, limit: 170 });
      assert.equal(page.count, wanted.length - got.length);
      got.push(...page.entries.map((kv) => kv.key));
      more = page.more;
      start = `${got.at(-1)}\0`;
      await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          store.txn(write(random(2) === 0 ? del(wanted[random(3_000)]!) : put(`/p/new${random(1e9)}${n}`))),
        ),
      );
    }
    assert.deepEqual(got, wanted);
  });
}
