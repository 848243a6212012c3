import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LinuxMounts, mountTargets } from './mounts.ts';

const mounts = new LinuxMounts();
const dir = await mkdtemp(join(tmpdir(), 'longshore-mounts-'));
after(async () => {
  for (const target of await mounts.beneath(dir)) await mounts.unmount(target);
  await rm(dir, { recursive: true });
});

async function folder(name: string): Promise<string> {
  const path = join(dir, name);
  await mkdir(path, { recursive: true });
  return path;
}

async function layers(prefix: string, count: number): Promise<string[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const path = await folder(`${prefix}-${n}-with-a-long-name-as-digests-have-it-0123456789abcdef`);
      await writeFile(join(path, 'who'), String(n));
      await writeFile(join(path, `file-${n}`), '');
      return path;
    }),
  );
}

test('an overlay of 127 layers: the first one is on top, the upper takes the writes', async () => {
  const target = await folder('many');
  const upper = await folder('many-upper');
  const undo = await mounts.overlay(target, { lower: await layers('many', 127), upper, work: await folder('many-work') });
  assert.equal(await readFile(join(target, 'who'), 'utf8'), '0');
  assert.equal((await readdir(target)).length, 128);
  await writeFile(join(target, 'new'), 'x');
  assert.deepEqual(await readdir(upper), ['new']);
  assert.deepEqual(await mounts.beneath(dir), [target]);
  await undo();
  await undo();
  assert.deepEqual(await mounts.beneath(dir), []);
});

test('layers with paths too long for one value, with commas and colons too', async () => {
  const target = await folder('odd');
  const deep = join(`odd,a:b\\c`, 'x'.repeat(150), 'y'.repeat(150), 'z');
  const lower = await layers(deep, 20);
  const undo = await mounts.overlay(target, { lower, upper: await folder('odd-up,per:'), work: await folder('odd-work') });
  assert.equal((await readdir(target)).length, 21);
  await undo();
});

test('a missing layer is named', async () => {
  await assert.rejects(mounts.overlay(await folder('missing'), { lower: ['/nowhere/layer', '/tmp'] }), { code: 'ENOENT', path: 'lowerdir+ /nowhere/layer' });
  assert.deepEqual(await mounts.beneath(dir), []);
});

test('read-only binds refuse writes, in what is mounted beneath too', async () => {
  const source = await folder('bound');
  const inner = await folder('bound/inner');
  const target = await folder('target');
  const undoInner = await mounts.tmpfs(inner, { sizeBytes: 1 << 20, mode: 0o700 });
  assert.equal((await stat(inner)).mode & 0o777, 0o700);
  await writeFile(join(inner, 'file'), 'x');
  const undo = await mounts.bind(source, target, { readOnly: true, propagation: 'private' });
  assert.equal(await readFile(join(target, 'inner/file'), 'utf8'), 'x');
  await assert.rejects(writeFile(join(target, 'new'), ''), { code: 'EROFS' });
  await assert.rejects(writeFile(join(target, 'inner/new'), ''), { code: 'EROFS' });
  await writeFile(join(source, 'new'), '');
  assert.deepEqual(
    await mounts.beneath(dir),
    [join(target, 'inner'), inner, target].sort((a, b) => b.split('/').length - a.split('/').length || (a < b ? 1 : -1)),
  );
  await undo();
  await undoInner();
  assert.deepEqual(await mounts.beneath(dir), []);
});

test('a file binds onto a file, and unmount takes all layers of mounts', async () => {
  const file = join(dir, 'file');
  const onto = join(dir, 'onto');
  await writeFile(file, 'one');
  await writeFile(onto, 'two');
  await mounts.bind(file, onto);
  await mounts.bind(file, onto);
  await mounts.bind(file, onto);
  assert.equal(await readFile(onto, 'utf8'), 'one');
  await mounts.unmount(onto);
  assert.equal(await readFile(onto, 'utf8'), 'two');
  await mounts.unmount(onto);
  await mounts.unmount(join(dir, 'nothing-here'));
});

test('mountinfo’s octal escapes are undone', () => {
  assert.deepEqual(mountTargets('36 35 98:0 / /mnt/a\\040b\\134c rw - ext4 /dev/x rw\n'), ['/mnt/a b\\c']);
});
