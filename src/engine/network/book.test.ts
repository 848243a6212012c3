import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Book } from './book.ts';

const folder = await mkdtemp(join(tmpdir(), 'longshore-book-'));
after(() => rm(folder, { recursive: true }));

test('the last state is on disk when the last save resolves, in few writes', async () => {
  const book = new Book(folder);
  assert.equal((await book.load()).size, 0);
  let written = 0;
  let state = 0;
  const content = () => {
    written++;
    return { state };
  };
  const saves = [];
  for (state = 1; state < 100; state++) saves.push(book.save('a', content));
  await Promise.all(saves);
  assert.equal(written, 1, 'one turn, one write');
  state = 100;
  const first = book.save('a', content);
  await new Promise((resolve) => setImmediate(resolve));
  state = 101;
  await Promise.all([first, book.save('a', content, true), book.save('a', content)]);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'a.json'), 'utf8')), { state: 101 });
  assert.deepEqual([...(await new Book(folder).load())], [['a', { state: 101 }]]);
});

test('removal comes after writes that are under way, and leftovers of a crash are no records', async () => {
  const book = new Book(folder);
  const saving = book.save('b', () => ({}));
  await book.remove('b');
  await saving;
  await book.remove('b');
  await writeFile(join(folder, 'c.json.tmp'), '{"half');
  assert.deepEqual([...(await book.load()).keys()], ['a']);
  assert.deepEqual(await readdir(folder), ['a.json']);
  await writeFile(join(folder, 'd.json'), 'garbage');
  await assert.rejects(book.load(), { code: 'internal', message: /d\.json is damaged/ });
  await rm(join(folder, 'd.json'));
});
