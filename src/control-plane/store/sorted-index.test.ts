import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KeyRecord, tombstone } from './key-record.ts';
import { SortedIndex } from './sorted-index.ts';
import type { KeyValue } from './store.ts';

const kv = (key: string): KeyValue => ({ key, value: new Uint8Array(0), createRevision: 1, modRevision: 1, version: 1 });

/** 5,000 keys in the order of insertion that `order` gives. */
function filled(order: (n: number) => number): { readonly index: SortedIndex; readonly records: Map<string, KeyRecord> } {
  const index = new SortedIndex();
  const records = new Map<string, KeyRecord>();
  for (let n = 0; n < 5_000; n++) {
    const record = new KeyRecord(kv(`k${String(order(n)).padStart(5, '0')}`));
    records.set(record.key, record);
    index.insert(record);
  }
  return { index, records };
}

describe('the sorted index', () => {
  for (const [name, order] of [
    ['rising', (n: number) => n],
    ['falling', (n: number) => 4_999 - n],
    ['scattered', (n: number) => (n * 2_137) % 5_000],
  ] as const) {
    test(`keeps order and counts through insertions (${name}) and removals`, () => {
      const { index, records } = filled(order);
      const check = (): void => {
        const wanted = [...records.keys()].sort();
        const all: KeyValue[] = [];
        assert.equal(index.range('k', 'l', 1, Infinity, all), wanted.length);
        assert.deepEqual(all.map((entry) => entry.key), wanted);
        for (let from = 0; from < 5_000; from += 611) {
          const [start, end] = [`k${String(from).padStart(5, '0')}`, `k${String(from + 900).padStart(5, '0')}`];
          const part = wanted.filter((key) => key >= start && key < end);
          const out: KeyValue[] = [];
          assert.equal(index.range(start, end, 1, 10, out), part.length);
          assert.deepEqual(out.map((entry) => entry.key), part.slice(0, 10));
        }
        const walked: string[] = [];
        for (let after: string | undefined, more = true; more; ) {
          const some = index.recordsAfter(after, 97);
          walked.push(...some.map((record) => record.key));
          after = some.at(-1)?.key;
          more = some.length === 97;
        }
        assert.deepEqual(walked, wanted);
      };
      check();
      for (const [n, key] of [...records.keys()].entries()) {
        if (n % 10 === 0) continue;
        const record = records.get(key)!;
        record.push(tombstone(key, 2));
        record.chunk!.live--;
        index.remove(record);
        records.delete(key);
      }
      check();
      for (const record of records.values()) {
        record.push(tombstone(record.key, 2));
        record.chunk!.live--;
        index.remove(record);
      }
      records.clear();
      check();
    });
  }
});
