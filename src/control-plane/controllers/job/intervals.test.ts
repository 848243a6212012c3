import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstMissing, formatIntervals, includes, overlap, parseIntervals, sizeOf, union, withIndexes } from './intervals.ts';

test('the wire form is read and written; nonsense is left out', () => {
  for (const text of ['', '0', '1,3-5', '0,1', '0-2,4,6-9']) assert.equal(formatIntervals(parseIntervals(text, 100)), text);
  assert.equal(formatIntervals(parseIntervals('5-3,x,-1,2-99999,1e3', 10)), '2-9');
  assert.equal(formatIntervals(parseIntervals('0-999999999', 1_000_000_000)), '0-999999999');
});

test('sets of indexes', () => {
  const some = parseIntervals('1,3-5', 10);
  assert.equal(sizeOf(some), 4);
  assert.deepEqual([0, 1, 2, 3, 5, 6].map((index) => includes(some, index)), [false, true, false, true, true, false]);
  assert.equal(formatIntervals(withIndexes(some, [2, 9, 3])), '1-5,9');
  assert.equal(formatIntervals(union(some, parseIntervals('0,7-8', 10))), '0,1,3-5,7,8');
  assert.equal(overlap(some, parseIntervals('0-3,5', 10)), 3);
  assert.deepEqual(firstMissing(some, 4, 10), [0, 2, 6, 7]);
  assert.deepEqual(firstMissing(some, 99, 8), [0, 2, 6, 7]);
  assert.deepEqual(firstMissing(parseIntervals('0-999999998', 1_000_000_000), 5, 1_000_000_000), [999_999_999]);
});
