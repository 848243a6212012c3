import assert from 'node:assert/strict';
import { closeSync, constants, readFileSync, readlinkSync, statSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFoldersInRoot, openInRoot, openInRootSync, parentInRoot } from './beneath.ts';
import {
  chmodAt,
  lchownAt,
  lgetxattr,
  linkAt,
  llistxattr,
  lremovexattr,
  lsetxattr,
  mkdirAt,
  mknodAt,
  pathAt,
  renameAt,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  S_IFCHR,
  S_IFIFO,
  symlinkAt,
  unlinkAt,
  utimesAt,
} from './fs.ts';

const base = await mkdtemp(join(tmpdir(), 'longshore-beneath-'));
after(() => rm(base, { recursive: true }));
const root = join(base, 'root');
await mkdir(join(root, 'etc'), { recursive: true });
await mkdir(join(base, 'root-evil'));
await writeFile(join(base, 'secret'), 'outside');
await writeFile(join(base, 'root-evil/secret'), 'outside');
await writeFile(join(root, 'etc/passwd'), 'inside');
await writeFile(join(root, 'secret'), 'inside');
await symlink('/etc/passwd', join(root, 'absolute'));
await symlink('../../../../secret', join(root, 'climbing'));
await mkdir(join(root, 'inner'));
await symlink('..', join(root, 'inner/up'));
await symlink('inner/up/../../secret', join(root, 'escape'));
await symlink('/proc/self/root', join(root, 'magic'));

async function contentAt(path: string, follow?: 'root' | 'beneath' | 'none'): Promise<string> {
  const fd = await openInRoot(root, path, constants.O_RDONLY, follow ? { follow } : {});
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

test('links resolve as in a chroot', async () => {
  for (const path of ['absolute', '/absolute', 'etc/../absolute', 'climbing', 'escape', '../../secret', 'inner/up/inner/../../../secret']) {
    assert.equal(await contentAt(path), 'inside', path);
  }
});

test('beneath refuses what leads out; none refuses links at all', async () => {
  for (const path of ['absolute', 'climbing', 'escape', '../secret', '../root-evil/secret']) {
    await assert.rejects(contentAt(path, 'beneath'), { code: 'EXDEV' }, path);
  }
  assert.equal(await contentAt('inner/up/secret', 'beneath'), 'inside');
  await assert.rejects(contentAt('inner/up/secret', 'none'), { code: 'ELOOP' });
});

test('the links of /proc lead nowhere', async () => {
  const fd = await openInRoot('/', 'proc', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    assert.throws(() => openInRootSync(fd, 'self/root/etc/passwd', constants.O_RDONLY), { code: 'ELOOP' });
  } finally {
    closeSync(fd);
  }
});

test('a missing name, a zero byte and the root itself', async () => {
  await assert.rejects(contentAt('nope'), { code: 'ENOENT' });
  await assert.rejects(contentAt('a\0b'), { code: 'EINVAL' });
  for (const path of ['', '/', '.', 'x/..', '..']) await assert.rejects(parentInRoot(root, path), { code: 'EINVAL' }, path);
});

test('folders are made inside, through links too', async () => {
  await symlink('/made', join(root, 'link'));
  await mkdir(join(root, 'made'));
  closeSync(await makeFoldersInRoot(root, '/link/a/b', 0o700));
  assert.ok(statSync(join(root, 'made/a/b')).isDirectory());
  closeSync(await makeFoldersInRoot(root, 'link/a/b'));
  await assert.rejects(makeFoldersInRoot(root, 'secret/x'), { code: 'ENOTDIR' });
});

test('the calls on names', async () => {
  const { fd } = await parentInRoot(root, 'etc/x');
  try {
    mknodAt(fd, 'whiteout', S_IFCHR, 0, 0);
    mknodAt(fd, 'pipe', S_IFIFO | 0o600);
    const whiteout = await lstat(join(root, 'etc/whiteout'));
    assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
    mkdirAt(fd, 'dir', 0o750);
    symlinkAt('../../secret', fd, 'sym');
    linkAt(fd, 'sym', fd, 'sym2');
    assert.equal(readlinkSync(join(root, 'etc/sym2')), '../../secret');
    lchownAt(fd, 'sym', 12, 34);
    utimesAt(fd, 'sym', undefined, -1_500_000_000n);
    const link = await lstat(join(root, 'etc/sym'), { bigint: true });
    assert.deepEqual([link.uid, link.gid, link.mtimeNs], [12n, 34n, -1_500_000_000n]);
    chmodAt(fd, 'dir', 0o711);
    assert.equal((await lstat(join(root, 'etc/dir'))).mode & 0o7777, 0o711);
    assert.throws(() => chmodAt(fd, 'sym', 0o777), { code: 'EOPNOTSUPP' });
    assert.throws(() => renameAt(fd, 'dir', fd, 'pipe', RENAME_NOREPLACE), { code: 'EEXIST' });
    renameAt(fd, 'dir', fd, 'pipe', RENAME_EXCHANGE);
    assert.ok((await lstat(join(root, 'etc/pipe'))).isDirectory());
    unlinkAt(fd, 'pipe', { folder: true });
    unlinkAt(fd, 'dir');
    for (const name of ['', '.', '..', 'a/b']) assert.throws(() => mkdirAt(fd, name, 0o700), { code: 'EINVAL' });
    const path = pathAt(fd, 'passwd');
    lsetxattr(path, 'trusted.overlay.opaque', Buffer.from('y'));
    lsetxattr(path, 'user.long', Buffer.alloc(1000, 7));
    assert.equal(lgetxattr(path, 'trusted.overlay.opaque')?.toString(), 'y');
    assert.equal(lgetxattr(path, 'user.long')?.length, 1000);
    assert.equal(lgetxattr(path, 'user.nothing'), undefined);
    assert.deepEqual(llistxattr(path).filter((name) => !name.startsWith('security.')).sort(), ['trusted.overlay.opaque', 'user.long']);
    lremovexattr(path, 'user.long');
    lremovexattr(path, 'user.long');
    assert.equal(lgetxattr(path, 'user.long'), undefined);
  } finally {
    closeSync(fd);
  }
  assert.equal(await readFile(join(base, 'secret'), 'utf8'), 'outside');
});
