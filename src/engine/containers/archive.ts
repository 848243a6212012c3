import { closeSync, constants, createReadStream, fstat } from 'node:fs';
import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { O_PATH, openInRoot } from '../../host/beneath.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import { packTar } from '../../lib/tar.ts';
import type { PackEntry, TarEntryType } from '../../lib/tar.ts';
import { noSuchPath } from './archive-errors.ts';
import type { Context } from './context.ts';
import type { PathStat } from './containers.ts';
import type { Entry } from './entry.ts';
import { realPath, withView } from './view.ts';
import type { View } from './view.ts';

/** A tree out of the container as a tar, with names that begin with the path's last one. @throws `not-found`, `invalid` */
export async function archiveOf(
  context: Context,
  entry: Entry,
  path: string,
  called: string,
): Promise<{ readonly stat: PathStat; readonly tar: () => NodeJS.ReadableStream }> {
  const stat = await statIn(context, entry, path, called);
  // A trailing `/.` means the folder's content, without its own name.
  const base = /(^|\/)\.$/.test(path) ? '.' : posix.basename(path) || '/';
  const tar = (): NodeJS.ReadableStream => Readable.from(lend(context, entry, path, base), { objectMode: false, highWaterMark: 256 * 1024 });
  return { stat, tar };
}

/** The whole root as a tar, for `docker export`. */
export function exportRoot(rootfs: string): AsyncIterable<Buffer> {
  return packTar(walk(rootfs, '/', ''));
}

/** Keeps the view for as long as the archive is read. */
async function* lend(context: Context, entry: Entry, path: string, base: string): AsyncGenerator<Buffer, void, void> {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let ready: (view: View) => void = () => undefined;
  const view = new Promise<View>((resolve) => (ready = resolve));
  const lent = withView(context, entry, path, (found) => {
    ready(found);
    return released;
  });
  try {
    const found = await Promise.race([view, lent.then(() => view)]);
    yield* packTar(walk(found.root, found.path, base));
  } finally {
    release();
    await lent;
  }
}

/** @param called the container, as the user named it @throws `not-found`, `invalid` */
export async function statIn(context: Context, entry: Entry, path: string, called: string): Promise<PathStat> {
  if (path === '') throw new LongshoreError('invalid', 'path cannot be empty', { object: `container ${entry.name}` });
  return withView(context, entry, path, async (view) => {
    let fd: number;
    // The last name itself is not followed, unless the path says that it is a folder.
    const follow = /\/\.?$/.test(view.path);
    try {
      fd = await openInRoot(view.root, view.path, O_PATH | (follow ? constants.O_DIRECTORY : constants.O_NOFOLLOW));
    } catch (error) {
      throw noSuchPath(entry, called, path, error);
    }
    try {
      const info = await statOf(fd);
      const linkTarget = info.isSymbolicLink() ? ((await realPath(view.root, view.path)) ?? (await readlinkOf(view))) : '';
      return { name: posix.basename(posix.normalize(path)) || '/', size: info.size, mode: goFileMode(info), mtimeMs: info.mtimeMs, linkTarget };
    } finally {
      closeSync(fd);
    }
  });
}

async function statOf(fd: number): Promise<Stats> {
  // Of an O_PATH descriptor it tells of a link itself as well.
  return promisify(fstat)(fd);
}

async function readlinkOf(view: View): Promise<string> {
  const slash = view.path.replace(/\/+$/, '').lastIndexOf('/');
  const parent = await openInRoot(view.root, view.path.slice(0, Math.max(slash, 0)) || '/', O_PATH | constants.O_DIRECTORY);
  try {
    return await readlink(`/proc/self/fd/${parent}/${view.path.replace(/\/+$/, '').slice(slash + 1)}`);
  } finally {
    closeSync(parent);
  }
}

/** Go's os.FileMode: the type in high bits of its own, the permissions below. */
function goFileMode(info: Stats): number {
  let mode = info.mode & 0o777;
  if (info.isDirectory()) mode += 2 ** 31;
  if (info.isSymbolicLink()) mode += 2 ** 27;
  if (info.isBlockDevice()) mode += 2 ** 26;
  if (info.isFIFO()) mode += 2 ** 25;
  if (info.isSocket()) mode += 2 ** 24;
  if (info.isCharacterDevice()) mode += 2 ** 26 + 2 ** 21;
  if ((info.mode & 0o4000) !== 0) mode += 2 ** 23;
  if ((info.mode & 0o2000) !== 0) mode += 2 ** 22;
  if ((info.mode & 0o1000) !== 0) mode += 2 ** 20;
  return mode;
}

/**
 * All entries of a tree, depth first, each folder before what is in it; every step by descriptor, so that nothing
 * outside is read when links are swapped meanwhile.
 */
async function* walk(root: string, path: string, base: string): AsyncGenerator<PackEntry, void, void> {
  const seen = new Map<string, string>();
  const trimmed = path.replace(/\/+$/, '') || '/';
  const slash = trimmed.lastIndexOf('/');
  const name = trimmed.slice(slash + 1);
  if (name === '' || name === '.' || name === '..' || path.endsWith('/')) {
    const fd = await openInRoot(root, path, constants.O_RDONLY | constants.O_DIRECTORY);
    yield* folder(fd, await statOf(fd), base, seen);
    return;
  }
  const parent = await openInRoot(root, trimmed.slice(0, Math.max(slash, 0)) || '/', O_PATH | constants.O_DIRECTORY);
  try {
    yield* one(parent, name, base, seen);
  } finally {
    closeSync(parent);
  }
}

async function* one(parent: number, name: string, as: string, seen: Map<string, string>): AsyncGenerator<PackEntry, void, void> {
  const at = `/proc/self/fd/${parent}/${name}`;
  let info: Stats;
  try {
    info = await lstat(at);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return; // removed meanwhile
    throw error;
  }
  if (info.isDirectory()) {
    let fd: number;
    try {
      fd = await openInRoot(parent, name, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW, { follow: 'none' });
    } catch (error) {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) return; // replaced meanwhile
      throw error;
    }
    yield* folder(fd, info, as, seen);
    return;
  }
  const type = typeOf(info);
  if (type === undefined) return; // a socket: means nothing elsewhere
  if (type === 'symlink') {
    yield { header: { ...headerOf(info, as, 'symlink'), linkname: await readlink(at) } };
    return;
  }
  if (type === 'character-device' || type === 'block-device') {
    yield {
      header: {
        ...headerOf(info, as, type),
        devMajor: Math.floor(info.rdev / 256) & 0xfff,
        devMinor: (info.rdev & 0xff) | (Math.floor(info.rdev / 4096) & 0xfff00),
      },
    };
    return;
  }
  if (type === 'file' && info.nlink > 1) {
    const key = `${info.dev}:${info.ino}`;
    const first = seen.get(key);
    if (first !== undefined) {
      yield { header: { ...headerOf(info, as, 'link'), linkname: first } };
      return;
    }
    seen.set(key, as);
  }
  if (type === 'fifo') {
    yield { header: headerOf(info, as, 'fifo') };
    return;
  }
  let fd: number;
  try {
    fd = await openInRoot(parent, name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK, { follow: 'none' });
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ELOOP')) return; // replaced meanwhile
    throw error;
  }
  const now = await statOf(fd);
  if (!now.isFile()) {
    closeSync(fd);
    return;
  }
  const header = { ...headerOf(now, as, 'file'), size: now.size };
  yield { header, body: exactly(fd, now.size) };
}

async function* folder(fd: number, info: Stats, as: string, seen: Map<string, string>): AsyncGenerator<PackEntry, void, void> {
  try {
    if (as !== '') yield { header: headerOf(info, as, 'directory') };
    for (const name of (await readdir(`/proc/self/fd/${fd}`)).sort()) {
      yield* one(fd, name, as === '' ? name : as.endsWith('/') ? as + name : `${as}/${name}`, seen);
    }
  } finally {
    closeSync(fd);
  }
}

/** Exactly `size` bytes of a file that may be written meanwhile: cut where it grew, filled with zeros where it shrank. Closes the descriptor. */
async function* exactly(fd: number, size: number): AsyncGenerator<Buffer, void, void> {
  let left = size;
  if (left === 0) {
    closeSync(fd);
    return;
  }
  const stream = createReadStream('', { fd, start: 0, end: size - 1, highWaterMark: 256 * 1024, autoClose: true });
  for await (const piece of stream as AsyncIterable<Buffer>) {
    left -= piece.length;
    yield piece;
  }
  while (left > 0) {
    const zeros = Buffer.alloc(Math.min(left, 64 * 1024));
    left -= zeros.length;
    yield zeros;
  }
}

function typeOf(info: Stats): TarEntryType | undefined {
  if (info.isFile()) return 'file';
  if (info.isSymbolicLink()) return 'symlink';
  if (info.isCharacterDevice()) return 'character-device';
  if (info.isBlockDevice()) return 'block-device';
  return info.isFIFO() ? 'fifo' : undefined;
}

function headerOf(info: Stats, name: string, type: TarEntryType): PackEntry['header'] {
  return { name, type, mode: info.mode & 0o7777, uid: info.uid, gid: info.gid, size: 0, mtime: Math.floor(info.mtimeMs / 1000) };
}
