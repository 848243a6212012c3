import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Journal } from './journal.ts';

function path(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'log');
}

const put = (key: string, value: unknown): { table: string; key: string; value: unknown } => ({ table: 't', key, value });

test('what was committed is there again; a commit is whole or not at all', async (t) => {
  const file = path(t);
  const journal = await Journal.open(file);
  await Promise.all([journal.commit([put('a', 1), put('b', { x: 'ü\n' })]), journal.commit([put('a', 2)])]);
  await journal.commit([{ table: 't', key: 'b' }, put('c', 3)]);
  assert.deepEqual([...journal.table('t')], [['a', 2], ['c', 3]]);
  await journal.close();
  await assert.rejects(journal.commit([put('d', 1)]), { code: 'unavailable' });
  const whole = readFileSync(file);
  // Cut at every byte: always a state that was committed.
  const states = new Set<string>();
  for (let length = whole.length; length >= 0; length--) {
    writeFileSync(file, whole.subarray(0, length));
    const again = await Journal.open(file);
    states.add(JSON.stringify([...again.table('t')]));
    await again.close();
  }
  assert.deepEqual([...states], ['[["a",2],["c",3]]', '[["a",2],["b",{"x":"ü\\n"}]]', '[["a",1],["b",{"x":"ü\\n"}]]', '[]']);
});

test('after a cut-off line, new commits are good', async (t) => {
  const file = path(t);
  let journal = await Journal.open(file);
  await journal.commit([put('a', 1)]);
  await journal.close();
  appendFileSync(file, 'half a li');
  journal = await Journal.open(file);
  await journal.commit([put('b', 2)]);
  await journal.close();
  journal = await Journal.open(file);
  assert.deepEqual([...journal.table('t')], [['a', 1], ['b', 2]]);
  await journal.close();
});

test('damage in the middle is said, not skipped', async (t) => {
  const file = path(t);
  const journal = await Journal.open(file);
  for (const key of ['a', 'b', 'c']) await journal.commit([put(key, 1)]);
  await journal.close();
  const bytes = readFileSync(file);
  bytes[20] = bytes[20]! ^ 1;
  writeFileSync(file, bytes);
  await assert.rejects(Journal.open(file), { code: 'internal', message: /is damaged at byte 0/ });
});

test('history is dropped when there is much of it', async (t) => {
  const file = path(t);
  let journal = await Journal.open(file);
  const value = 'x'.repeat(10_000);
  for (let n = 0; n < 150; n++) await journal.commit([put('a', value + n)]);
  await journal.close();
  const before = statSync(file).size;
  journal = await Journal.open(file);
  assert.equal(journal.table<string>('t').get('a'), `${value}149`);
  await journal.commit([put('b', 1)]);
  await journal.close();
  assert.ok(statSync(file).size < before / 50);
  journal = await Journal.open(file);
  assert.equal(journal.table('t').size, 2);
  await journal.close();
  truncateSync(file, 0);
});
