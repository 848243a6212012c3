import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { makeFoldersInRootSync } from './make-folders.ts';
import { openInRootSync, parentInRootSync } from '../../../host/beneath.ts';
import { lgetxattr, linkAt, llistxattr, lsetxattr, mknodAt, pathAt, S_IFBLK, S_IFCHR, S_IFIFO } from '../../../host/fs.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Extracted } from './extract.ts';
import { isWhiteout, OPAQUE_XATTR } from './overlay.ts';

export interface SettleJob {
  readonly kind: 'settle';
  readonly folder: string;
  /** The layers below, topmost first. */
  readonly lower: readonly string[];
  readonly extracted: Pick<Extracted, 'implicit' | 'pendingLinks'>;
}

export interface Settled {
  /** Folders without an entry of their own at which the layers below have a symlink: the layer must be unpacked again through it. */
  readonly throughSymlink: readonly { readonly path: string; readonly target: string }[];
}

/**
 * Finishes a layer that was unpacked on its own: folders without an entry take
 * mode, owner and time of those below, and hard links to files of lower
 * layers get a copy of the file, as the overlay itself would copy it up. Blocks its thread.
 * @throws `invalid` for a link to nothing
 */
export function settleLayer(job: SettleJob): Settled {
  const throughSymlink: { path: string; target: string }[] = [];
  for (const path of job.extracted.implicit) {
    if (throughSymlink.some((link) => path.startsWith(`${link.path}/`))) continue;
    const below = findBelow(job.lower, path);
    if (!below) continue;
    if (below.stats.isSymbolicLink()) {
      throughSymlink.push({ path, target: readlinkSync(below.path) });
      continue;
    }
    if (!below.stats.isDirectory()) continue;
    const fd = openInRootSync(job.folder, path === '' ? '.' : path, constants.O_RDONLY | constants.O_DIRECTORY, { follow: 'none' });
    try {
      fchownSync(fd, below.stats.uid, below.stats.gid);
      fchmodSync(fd, below.stats.mode & 0o7777);
      futimesSync(fd, below.stats.mtimeMs / 1000, below.stats.mtimeMs / 1000);
    } finally {
      closeSync(fd);
    }
  }
  if (throughSymlink.length > 0) return { throughSymlink };
  for (const { path, target } of job.extracted.pendingLinks) settleLink(job, path, target);
  return { throughSymlink };
}

function settleLink(job: SettleJob, path: string, target: string): void {
  const below = findBelow(job.lower, target);
  if (!below || below.stats.isDirectory()) {
    throw new LongshoreError(
      'invalid',
      `the archive's entry ${JSON.stringify(path)} is a hard link to ${JSON.stringify(target)}, which is not there`,
      { object: path },
    );
  }
  const slash = target.lastIndexOf('/');
  const folder = makeFoldersInRootSync(job.folder, slash < 0 ? '' : target.slice(0, slash), (at) => findBelow(job.lower, at)?.stats);
  try {
    const name = target.slice(slash + 1);
    if (!lstatSync(pathAt(folder, name), { throwIfNoEntry: false })) copyUp(below, folder, name);
    const to = parentInRootSync(job.folder, path);
    try {
      linkAt(folder, name, to.fd, to.name);
    } finally {
      closeSync(to.fd);
    }
  } finally {
    closeSync(folder);
  }
}

function copyUp(below: { readonly path: string; readonly stats: Stats }, folder: number, name: string): void {
  const { path, stats } = below;
  const to = pathAt(folder, name);
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(path), to);
  } else if (stats.isFile()) {
    copyFileSync(path, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } else {
    mknodAt(
      folder,
      name,
      stats.isFIFO() ? S_IFIFO : stats.isBlockDevice() ? S_IFBLK : S_IFCHR,
      (stats.rdev >> 8) & 0xfff,
      (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00),
    );
  }
  lchownSync(to, stats.uid, stats.gid);
  if (!stats.isSymbolicLink()) chmodSync(to, stats.mode & 0o7777);
  for (const attribute of llistxattr(path)) {
    const value = attribute.startsWith('trusted.overlay.') ? undefined : lgetxattr(path, attribute);
    if (value) lsetxattr(to, attribute, value);
  }
  lutimesSync(to, stats.atimeMs / 1000, stats.mtimeMs / 1000);
}

/** What the stack of layers shows at a path: the topmost, unless a whiteout or an opaque folder hides it. */
export function findBelow(lower: readonly string[], path: string): { readonly path: string; readonly stats: Stats } | undefined {
  const parts = path === '' ? [] : path.split('/');
  for (const layer of lower) {
    let at = layer;
    let opaque = false;
    let stats = lstatSync(at);
    let gone = false;
    for (const part of parts) {
      if (!stats.isDirectory()) return undefined;
      if (at !== layer && lgetxattr(at, OPAQUE_XATTR)?.toString() === 'y') opaque = true;
      at = `${at}/${part}`;
      const next = lstatSync(at, { throwIfNoEntry: false });
      if (!next) {
        gone = true;
        break;
      }
      if (isWhiteout(next)) return undefined;
      stats = next;
    }
    if (!gone) return { path: at, stats };
    if (opaque) return undefined;
  }
  return undefined;
}
