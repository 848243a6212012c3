import { closeSync, constants, createWriteStream, fchmod, fchown } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { O_PATH, makeFoldersInRoot, openInRoot, parentInRoot } from '../../host/beneath.ts';
import { S_IFBLK, S_IFCHR, S_IFIFO, chmodAt, lchownAt, linkAt, mkdirAt, mknodAt, pathAt, symlinkAt, unlinkAt, utimesAt } from '../../host/fs.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import { readTar } from '../../lib/tar.ts';
import type { TarEntry } from '../../lib/tar.ts';
import { noSuchPath } from './archive-errors.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { resolveUser } from './users.ts';
import { withView } from './view.ts';

/**
 * Unpacks a tar into a folder of the container. Each name is resolved beneath the container's root as a process inside would, and worked on
 * by descriptor: links in the archive or in the container lead nowhere else.
 * @throws `not-found` (no such folder), `invalid` (not a folder; a name that leads out)
 */
export async function extractInto(
  context: Context,
  entry: Entry,
  path: string,
  tar: NodeJS.ReadableStream,
  options: {
    readonly noOverwriteDirNonDir?: boolean;
    readonly copyUidGid?: boolean;
    /** The container, as the user named it. */ readonly called: string;
  },
): Promise<void> {
  if (entry.spec.security.readOnlyRoot && entry.run === undefined) {
    throw new LongshoreError('forbidden', 'container rootfs is marked read-only', { object: `container ${entry.name}` });
  }
  await withView(context, entry, path, async (view) => {
    let folder: number;
    try {
      folder = await openInRoot(view.root, view.path, O_PATH | constants.O_DIRECTORY);
    } catch (error) {
      if (isErrno(error, 'ENOTDIR')) throw new LongshoreError('invalid', 'extraction point is not a directory', { object: path });
      throw noSuchPath(entry, options.called, path, error);
    }
    closeSync(folder);
    const owner = options.copyUidGid === true && entry.spec.process.user !== '' ? await resolveUser(view.root, entry.spec.process.user) : undefined;
    for await (const item of readTar(tar as AsyncIterable<Uint8Array>)) {
      try {
        await place(view.root, view.path, item, owner);
      } catch (error) {
        if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR') && !isErrno(error, 'ELOOP')) throw error;
        throw new LongshoreError(
          'invalid',
          `the archive's entry "${item.header.name}" can't be placed: something that is no folder is in the way, or a link that leads nowhere`,
          { object: item.header.name, cause: error },
        );
      }
    }
  });
}

async function place(root: string, base: string, item: TarEntry, owner: { readonly uid: number; readonly gid: number } | undefined): Promise<void> {
  const { header } = item;
  const name = header.name.replace(/\/+$/, '');
  if (name.split('/').includes('..')) {
    throw new LongshoreError('invalid', `the archive's entry "${header.name}" leads out of where it is unpacked`);
  }
  const inside = `${base}/${name}`
    .replace(/\/\.(?=\/|$)/g, '')
    .replace(/\/+/g, '/')
    .replace(/\/$/, '');
  if (inside === '' || name === '' || name === '.') return; // the folder itself
  const uid = owner?.uid ?? header.uid;
  const gid = owner?.gid ?? header.gid;
  const slash = inside.lastIndexOf('/');
  if (slash > 0) closeSync(await makeFoldersInRoot(root, inside.slice(0, slash)));
  const parent = await parentInRoot(root, inside);
  try {
    const there = await lstat(pathAt(parent.fd, parent.name)).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (header.type === 'directory') {
      // A link to a folder stands for it, as `cp` and tar have it.
      if (there !== undefined && !there.isDirectory() && !there.isSymbolicLink()) {
        throw new LongshoreError('invalid', `cannot overwrite non-directory "${inside}" with directory "${header.name}"`, {
          object: inside,
        });
      }
      if (there?.isSymbolicLink() === true) return;
      if (there === undefined) mkdirAt(parent.fd, parent.name, header.mode);
    } else {
      if (there?.isDirectory() === true) {
        throw new LongshoreError('invalid', `cannot overwrite directory "${inside}" with non-directory "${header.name}"`, {
          object: inside,
        });
      }
      if (there !== undefined) unlinkAt(parent.fd, parent.name);
      await make(root, base, parent, item, uid, gid);
      if (header.type === 'file' || header.type === 'link') return;
    }
    lchownAt(parent.fd, parent.name, uid, gid);
    if (header.type !== 'symlink') chmodAt(parent.fd, parent.name, header.mode);
    const time = BigInt(Math.floor(header.mtime * 1000)) * 1_000_000n;
    utimesAt(parent.fd, parent.name, time, time);
  } finally {
    closeSync(parent.fd);
  }
}

async function make(
  root: string,
  base: string,
  parent: { readonly fd: number; readonly name: string },
  item: TarEntry,
  uid: number,
  gid: number,
): Promise<void> {
  const { header } = item;
  switch (header.type) {
    case 'file': {
      const fd = await openInRoot(
        parent.fd,
        parent.name,
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        { mode: 0o600, follow: 'none' },
      );
      try {
        await pipeline(item.body, createWriteStream('', { fd, autoClose: false }));
        // Owner first: changing it takes setuid away.
        await promisify(fchown)(fd, uid, gid);
        await promisify(fchmod)(fd, header.mode);
      } finally {
        closeSync(fd);
      }
      const time = BigInt(Math.floor(header.mtime * 1000)) * 1_000_000n;
      utimesAt(parent.fd, parent.name, time, time);
      return;
    }
    case 'link': {
      const target = header.linkname ?? '';
      if (target.split('/').includes('..')) {
        throw new LongshoreError('invalid', `the archive's link "${header.name}" leads out of where it is unpacked`);
      }
      const from = await parentInRoot(root, `${base}/${target}`);
      try {
        linkAt(from.fd, from.name, parent.fd, parent.name);
      } finally {
        closeSync(from.fd);
      }
      return;
    }
    case 'symlink':
      symlinkAt(header.linkname ?? '', parent.fd, parent.name);
      return;
    case 'fifo':
      mknodAt(parent.fd, parent.name, S_IFIFO | header.mode);
      return;
    case 'character-device':
    case 'block-device':
      mknodAt(parent.fd, parent.name, (header.type === 'block-device' ? S_IFBLK : S_IFCHR) | header.mode, header.devMajor ?? 0, header.devMinor ?? 0);
      return;
    default:
      throw new LongshoreError('invalid', `the archive's entry "${header.name}" is of a kind that can't be unpacked`);
  }
}
