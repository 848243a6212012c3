import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { lgetxattr, lsetxattr } from '../../host/fs.ts';
import { LinuxMounts } from '../../host/mounts.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import { openVolumes } from './open.ts';

const base = await mkdtemp(join(tmpdir(), 'longshore-volumes-'));
const mounts = new LinuxMounts();
const folder = join(base, 'volumes');
const open = () => openVolumes({ host: { mounts }, folder, clock: systemClock, random: systemRandom, logger: silentLogger });
const volumes = await open();
after(async () => {
  await volumes.destroy();
  assert.deepEqual(await mounts.beneath(base), []);
  await rm(base, { recursive: true });
});

test('a name gives the same volume again, also after a restart', async () => {
  const first = await volumes.create({ name: 'data', labels: { a: 'b' } });
  assert.deepEqual(await volumes.create({ name: 'data', labels: { c: 'd' } }), first);
  assert.deepEqual(await (await open()).get('data'), first);
  assert.equal((await stat(first.mountpoint)).mode & 0o777, 0o755);
  const anonymous = await volumes.create({});
  assert.match(anonymous.name, /^[0-9a-f]{64}$/);
  assert.equal(anonymous.anonymous, true);
  assert.ok('com.docker.volume.anonymous' in anonymous.labels);
});

test('names that are none, other drivers and options', async () => {
  for (const name of ['a', '../x', 'a/b', '.hidden', 'a b', '-x', 'x\0y', '..', 'x'.repeat(256)]) {
    await assert.rejects(volumes.create({ name }), { code: 'invalid' }, name);
  }
  await assert.rejects(volumes.create({ name: 'other', driver: 'nope' }), { code: 'not-found' });
  await assert.rejects(volumes.create({ name: 'other', driverOpts: { colour: 'red' } }), {
    code: 'invalid',
    message: 'create other: invalid option: "colour"',
  });
  await assert.rejects(volumes.create({ name: 'other', driverOpts: { type: 'nfs' } }), { code: 'invalid' });
  await assert.rejects(volumes.get('other'), { code: 'not-found', message: 'get other: no such volume' });
  assert.ok(!existsSync(join(folder, 'other')));
});

test('removal: not while used, and a second time only with force', async () => {
  const volume = await volumes.create({ name: 'gone' });
  await writeFile(join(volume.mountpoint, 'file'), 'x');
  await assert.rejects(volumes.remove('gone', { users: ['c1'] }), { code: 'conflict', message: 'remove gone: volume is in use - [c1]' });
  await volumes.remove('gone', { users: [] });
  assert.ok(!existsSync(join(folder, 'gone')));
  await assert.rejects(volumes.remove('gone', { users: [] }), { code: 'not-found' });
  await volumes.remove('gone', { users: [], force: true });
});

test('what a crash cut short is cleared away, but no data is', async () => {
  await mkdir(join(folder, 'half/_data'), { recursive: true });
  await mkdir(join(folder, '.removed-1/_data'), { recursive: true });
  await mkdir(join(folder, 'lost/_data'), { recursive: true });
  await writeFile(join(folder, 'lost/_data/precious'), '');
  const names = (await (await open()).list()).map((volume) => volume.name);
  assert.ok(!names.includes('half') && !existsSync(join(folder, 'half')) && !existsSync(join(folder, '.removed-1')));
  assert.ok(names.includes('lost'), 'data without a record is kept');
  assert.deepEqual(await readdir(join(folder, 'lost/_data')), ['precious']);
});

test('populate keeps owners, modes, times, links and attributes, and happens once', async () => {
  const image = join(base, 'image');
  await mkdir(join(image, 'srv/data/deep'), { recursive: true });
  await writeFile(join(image, 'srv/data/file'), 'content', { mode: 0o640 });
  await link(join(image, 'srv/data/file'), join(image, 'srv/data/deep/same'));
  await symlink('/etc/passwd', join(image, 'srv/data/link'));
  const run = promisify(execFile);
  await run('mkfifo', [join(image, 'srv/data/pipe')]);
  await run('chown', ['-h', '12:34', join(image, 'srv/data/link'), join(image, 'srv/data/file'), join(image, 'srv/data')]);
  await run('chmod', ['4750', join(image, 'srv/data/file')]);
  await run('chmod', ['2770', join(image, 'srv/data')]);
  lsetxattr(join(image, 'srv/data/file'), 'user.note', Buffer.from('kept'));
  await run('touch', ['-d', '2001-02-03T04:05:06', join(image, 'srv/data/deep')]);
  const volume = await volumes.create({ name: 'filled' });
  await volumes.populate('filled', { root: image, path: '/srv/data' });
  const at = (name: string): string => join(volume.mountpoint, name);
  assert.deepEqual((await readdir(volume.mountpoint)).sort(), ['deep', 'file', 'link', 'pipe']);
  const file = await lstat(at('file'));
  assert.deepEqual([file.uid, file.gid, file.mode & 0o7777, file.nlink], [12, 34, 0o4750, 2]);
  assert.equal((await lstat(at('deep/same'))).ino, file.ino);
  assert.equal(await readlink(at('link')), '/etc/passwd');
  assert.equal((await lstat(at('link'))).uid, 12);
  assert.ok((await lstat(at('pipe'))).isFIFO());
  assert.equal(lgetxattr(at('file'), 'user.note')?.toString(), 'kept');
  assert.equal((await lstat(at('deep'))).mtime.getFullYear(), 2001);
  const top = await stat(volume.mountpoint);
  assert.deepEqual([top.uid, top.gid, top.mode & 0o7777], [12, 34, 0o2770]);
  assert.equal(await volumes.usage('filled'), 7);
  await rm(at('file'));
  await volumes.populate('filled', { root: image, path: '/srv/data' });
  assert.ok(!existsSync(at('file')), 'what was removed stays so');
});

test('a volume with content is not filled, nor is one whose image has no folder there', async () => {
  const image = join(base, 'plain');
  await mkdir(join(image, 'data'), { recursive: true });
  await writeFile(join(image, 'data/theirs'), '');
  await writeFile(join(image, 'afile'), '');
  const volume = await volumes.create({ name: 'mine' });
  await writeFile(join(volume.mountpoint, 'mine'), '');
  await volumes.populate('mine', { root: image, path: 'data' });
  assert.deepEqual(await readdir(volume.mountpoint), ['mine']);
  const empty = await volumes.create({ name: 'empty' });
  await volumes.populate('empty', { root: image, path: 'afile' });
  assert.deepEqual(await readdir(empty.mountpoint), []);
});

test('an image’s symlinks lead nowhere but into the image', async () => {
  const image = join(base, 'hostile');
  await mkdir(join(image, 'etc'), { recursive: true });
  await writeFile(join(image, 'etc/of-the-image'), '');
  await symlink('/etc', join(image, 'data'));
  await symlink('../../../../../../etc', join(image, 'climb'));
  for (const [name, path] of [['hostile1', '/data'], ['hostile2', 'climb'], ['hostile3', '../../../etc']] as const) {
    const volume = await volumes.create({ name });
    await volumes.populate(name, { root: image, path });
    assert.deepEqual(await readdir(volume.mountpoint), ['of-the-image'], path);
  }
  let deep = join(image, 'deep');
  await mkdir(deep);
  for (let n = 0; n < 6; n++) {
    deep = join(deep, Array.from({ length: 50 }, () => 'd').join('/'));
    await mkdir(deep, { recursive: true });
  }
  await volumes.create({ name: 'toodeep' });
  await assert.rejects(volumes.populate('toodeep', { root: image, path: 'deep' }), { code: 'invalid' });
});

test('binds and tmpfs are mounted at first use', async () => {
  const source = join(base, 'source');
  await mkdir(source);
  await writeFile(join(source, 'hello'), 'x');
  const bound = await volumes.create({ name: 'bound', driverOpts: { type: 'none', o: 'bind', device: source } });
  assert.deepEqual(await readdir(bound.mountpoint), []);
  assert.equal(await volumes.ready('bound'), bound.mountpoint);
  await volumes.ready('bound');
  assert.deepEqual(await readdir(bound.mountpoint), ['hello']);
  assert.equal((await mounts.beneath(bound.mountpoint)).length, 1);
  await volumes.remove('bound', { users: [] });
  assert.equal(await readFile(join(source, 'hello'), 'utf8'), 'x', 'what was bound is untouched');
  const memory = await volumes.create({ name: 'memory', driverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=7,noexec' } });
  await volumes.ready('memory');
  assert.equal((await stat(memory.mountpoint)).uid, 7);
  await volumes.release('memory');
  assert.equal((await stat(memory.mountpoint)).uid, 0);
  await volumes.create({ name: 'wrong', driverOpts: { type: 'ext4', device: '/dev/no-such', o: 'ro' } });
  await assert.rejects(volumes.ready('wrong'), { code: 'unavailable', message: /failed to mount local volume wrong/ });
});
