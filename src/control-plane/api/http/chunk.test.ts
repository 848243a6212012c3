import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkOf } from './chunk.ts';

test('data becomes a chunk, once for all who send it one after the other', () => {
  const data = Buffer.from('0123456789abcdef');
  assert.equal(chunkOf(data).toString(), '10\r\n0123456789abcdef\r\n');
  assert.equal(chunkOf(data), chunkOf(data));
  assert.equal(chunkOf(Buffer.from('é')).toString(), '2\r\né\r\n');
  assert.equal(chunkOf(data).toString(), '10\r\n0123456789abcdef\r\n');
});

test('no data is no chunk, which would end the body', () => {
  assert.equal(chunkOf(Buffer.alloc(0)).length, 0);
});
