import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonLines } from './json-lines.ts';

test('lines come out whole however the bytes are cut', () => {
  const values = [{ a: 'ä€😀' }, [1, 2], 'x'.repeat(5000), null];
  const bytes = Buffer.from(values.map((value) => JSON.stringify(value)).join('\n') + '\n\n');
  for (const size of [1, 2, 3, 7, 4096, bytes.length]) {
    const seen: unknown[] = [];
    const lines = new JsonLines((value) => seen.push(value), 1 << 20);
    for (let at = 0; at < bytes.length; at += size) lines.push(bytes.subarray(at, at + size));
    assert.deepEqual(seen, values, `cut at ${size}`);
  }
});

test('refuses what is no JSON and what has no end', () => {
  const lines = new JsonLines(() => {}, 100);
  assert.throws(() => lines.push(Buffer.from('{"a":\n')), SyntaxError);
  assert.throws(() => lines.push(Buffer.alloc(101, 0x20)), RangeError);
});
