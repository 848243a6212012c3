import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { writePayload } from './atomic-writer.ts';

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-volume-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

const payload = (files: Record<string, string>): Map<string, { data: Buffer; mode: number }> =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o640 }]));

test('files appear through one link, with mode and group', async (t) => {
  const folder = await folderFor(t);
  assert.equal(await writePayload(folder, payload({ a: '1', 'deep/b': '2' }), { stamp: 'one', gid: 1234 }), true);
  assert.equal(await readlink(join(folder, '..data')), '..one');
  assert.equal(await readlink(join(folder, 'a')), '..data/a');
  assert.equal(await readFile(join(folder, 'deep/b'), 'utf8'), '2');
  const { mode, gid } = await stat(join(folder, 'a'));
  assert.equal(mode & 0o777, 0o640);
  assert.equal(gid, 1234);
});

test('the same again writes nothing; a change swaps the link and drops what is gone', async (t) => {
  const folder = await folderFor(t);
  await writePayload(folder, payload({ a: '1', old: 'x' }), { stamp: 'one', gid: undefined });
  assert.equal(await writePayload(folder, payload({ a: '1', old: 'x' }), { stamp: 'two', gid: undefined }), false);
  assert.equal(await readlink(join(folder, '..data')), '..one');
  assert.equal(await writePayload(folder, payload({ a: '2', fresh: 'y' }), { stamp: 'three', gid: undefined }), true);
  assert.deepEqual((await readdir(folder)).sort(), ['..data', '..three', 'a', 'fresh']);
  assert.equal(await readFile(join(folder, 'a'), 'utf8'), '2');
});
