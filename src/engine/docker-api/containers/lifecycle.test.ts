import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sizeIn } from './lifecycle.ts';

test('the size of a terminal: two numbers that fit', () => {
  const of = (query: string): unknown => sizeIn({ query: new URLSearchParams(query) });
  assert.deepEqual(of('h=40&w=120'), { rows: 40, columns: 120 });
  assert.deepEqual(of('h=4294967295&w=0'), { rows: 65_535, columns: 0 });
  const refused: Record<string, string> = {
    'w=1': 'invalid resize height "": invalid syntax', 'h=1': 'invalid resize width "": invalid syntax', 'h=x&w=1': 'invalid resize height "x": invalid syntax',
    'h=-1&w=1': 'invalid resize height "-1": value out of range', 'h=1&w=4294967296': 'invalid resize width "4294967296": value out of range',
  };
  for (const [query, message] of Object.entries(refused)) assert.throws(() => of(query), { code: 'invalid', message });
});
