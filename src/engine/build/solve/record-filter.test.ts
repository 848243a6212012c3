import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildCacheRecord } from '../builder.ts';
import { recordFilter } from './record-filter.ts';

const record = (id: string, type: string, shared = false): BuildCacheRecord => ({
  id,
  parents: [],
  type,
  description: `made ${id}`,
  inUse: false,
  shared,
  bytes: 1,
  createdMs: 0,
  lastUsedMs: 0,
  usageCount: 1,
});
const records = [record('ab1', 'regular'), record('ab2', 'source.local', true), record('cd3', 'regular')];
const ids = (...filters: string[]): string[] => records.filter(recordFilter(filters)).map(({ id }) => id);

test('filters of the cache: equal, not, like, set; together and as alternatives', () => {
  assert.deepEqual(ids(), ['ab1', 'ab2', 'cd3']);
  assert.deepEqual(ids('type==regular'), ['ab1', 'cd3']);
  assert.deepEqual(ids('type!=regular'), ['ab2']);
  assert.deepEqual(ids('id~=^ab'), ['ab1', 'ab2']);
  assert.deepEqual(ids('id~=^ab,type==regular'), ['ab1']);
  assert.deepEqual(ids('id==cd3', 'shared'), ['ab2', 'cd3']);
  assert.deepEqual(ids('description=="made ab1"'), ['ab1']);
});

test('what is no field is refused, and not taken for everything', () => {
  for (const text of ['foo==bar', '==', 'id=x', '']) {
    if (text === '') assert.equal(ids('').length, 3);
    else assert.throws(() => recordFilter([text]), { code: 'invalid' }, text);
  }
  assert.throws(() => recordFilter(['id~=(']), /not a pattern/);
});
