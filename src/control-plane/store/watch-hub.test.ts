import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isCode } from '../../lib/errors.ts';
import { createLogger } from '../../lib/log.ts';
import { openMemoryStore } from './memory-store.ts';
import type { Store, TxnResult } from './store.ts';

const put = (store: Store, key: string): Promise<TxnResult> => store.txn({ compare: [], success: [{ type: 'put', key, value: Buffer.from(key) }] });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('watches of the embedded stores', () => {
  test('a long way to catch up is taken in parts, and others get their turn between', async () => {
    const store = await openMemoryStore();
    await Promise.all(Array.from({ length: 3_500 }, (_, n) => put(store, `k${n}`)));
    const batches: number[] = [];
    let revision = 0;
    store.watch({ prefix: 'k', fromRevision: 1 }, { events: (events, at) => (batches.push(events.length), (revision = at)), ended: assert.fail });
    await Promise.resolve();
    assert.deepEqual(batches, [1_000]);
    const late = put(store, 'k-late');
    while (revision < 3_502) await turn();
    await late;
    assert.deepEqual([Math.max(...batches), batches.reduce((a, b) => a + b)], [1_000, 3_501]);
    await store.close();
  });

  test('a watch that compaction overtakes while it catches up is ended as gone', async () => {
    const store = await openMemoryStore();
    await Promise.all(Array.from({ length: 3_500 }, (_, n) => put(store, `k${n}`)));
    let events = 0;
    const ended = new Promise<Error>((resolve) => store.watch({ prefix: '', fromRevision: 1 }, { events: (more) => (events += more.length), ended: resolve }));
    await store.compact(store.revision);
    assert.ok(isCode(await ended, 'gone'));
    assert.ok(events >= 1_000 && events < 3_500);
    await store.close();
  });

  test('a sink that throws loses its watch; writes and other watches go on, and it is logged', async () => {
    const lines: string[] = [];
    const store = await openMemoryStore({ logger: createLogger((line) => lines.push(line), () => 0) });
    const ended: Error[] = [];
    store.watch({ prefix: 'a' }, { events: () => { throw new Error('broken sink'); }, ended: (error) => ended.push(error) });
    let heard = 0;
    store.watch({ prefix: '' }, { events: () => heard++, ended: () => {} });
    await put(store, 'a');
    await put(store, 'a');
    assert.deepEqual([heard, ended.length, isCode(ended[0], 'internal')], [2, 1, true]);
    assert.match(lines.join(''), /error a watch failed .*prefix=a revision=2 error="broken sink"/);
    await store.close();
  });

  test('what may wait is bounded', async () => {
    const store = await openMemoryStore();
    const answers = Array.from({ length: 100_001 }, () => put(store, 'a').then((result) => result.succeeded, (error: unknown) => isCode(error, 'unavailable')));
    assert.equal(store.revision, 1);
    assert.ok((await Promise.all(answers)).every(Boolean));
    assert.equal(store.revision, 100_001);
    await store.close();
  });
});
