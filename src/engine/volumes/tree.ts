/**
 * Copying and measuring trees that somebody else may be changing, by descriptors alone: no path is ever joined, and no symlink followed, so
 * nothing outside of the tree is read or written. Works on a worker's pace: every few entries it lets others run.
 */
import { closeSync, constants, fchownSync, fchmodSync, fstatSync, futimesSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { LongshoreError } from '../../lib/errors.ts';
import { openInRootSync, O_PATH } from '../../host/beneath.ts';
import { chmodAt, lchownAt, lgetxattr, linkAt, llistxattr, lsetxattr, mkdirAt, mknodAt, pathAt, symlinkAt, utimesAt } from '../../host/fs.ts';

const FOLDER = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Entries between two breathers for the event loop. */
const STRIDE = 32;
const DEEPEST = 256;

interface Copy {
  /** Device and inode of what has more than one name, to the path of its copy, as folders from the top. */
  readonly links: Map<string, { readonly folders: readonly string[]; readonly name: string }>;
  readonly top: number;
  count: number;
}

/**
 * Copies what is in the folder `from` into the folder `to` (descriptors): owners, modes, times, links, device nodes and
 * extended attributes.
 * @throws `invalid` for a tree deeper than any honest one
 */
export async function copyTree(from: number, to: number): Promise<void> {
  await copyFolder(from, to, [], { links: new Map(), top: to, count: 0 });
}

async function copyFolder(from: number, to: number, path: readonly string[], copy: Copy): Promise<void> {
  checkDepth(path.length);
  for (const name of readdirSync(`/proc/self/fd/${from}`)) {
    if (++copy.count % STRIDE === 0) await new Promise((resolve) => setImmediate(resolve));
    const source = openInRootSync(from, name, O_PATH | constants.O_NOFOLLOW, { follow: 'beneath' });
    try {
      await copyEntry(source, from, to, name, path, copy);
    } finally {
      closeSync(source);
    }
  }
}

async function copyEntry(source: number, from: number, to: number, name: string, path: readonly string[], copy: Copy): Promise<void> {
  const stat = fstatSync(source, { bigint: true });
  const mode = Number(stat.mode);
  if (!stat.isDirectory() && stat.nlink > 1n) {
    const key = `${stat.dev} ${stat.ino}`;
    const first = copy.links.get(key);
    if (first) {
      const folder = openInRootSync(copy.top, first.folders.join('/') || '.', FOLDER, { follow: 'none' });
      try {
        linkAt(folder, first.name, to, name);
      } finally {
        closeSync(folder);
      }
      return;
    }
    copy.links.set(key, { folders: path, name });
  }
  if (stat.isDirectory()) {
    mkdirAt(to, name, 0o700);
    const source2 = openInRootSync(from, name, FOLDER, { follow: 'none' });
    const target = openInRootSync(to, name, FOLDER, { follow: 'none' });
    try {
      await copyFolder(source2, target, [...path, name], copy);
    } finally {
      closeSync(source2);
      closeSync(target);
    }
  } else if (stat.isSymbolicLink()) symlinkAt(readlinkSync(pathAt(from, name)), to, name);
  else if (stat.isFile()) {
    // The descriptor's path leads to the very file that was looked at. COPYFILE_EXCL opens the target with O_EXCL, which follows no symlink.
    await copyFile(`/proc/self/fd/${source}`, pathAt(to, name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } else mknodAt(to, name, mode, major(stat.rdev), minor(stat.rdev));
  dress(to, name, stat, pathAt(from, name));
}

/** Owner before mode, since chown clears set-id bits; times last. */
function dress(to: number, name: string, stat: BigIntStats, source: string): void {
  lchownAt(to, name, Number(stat.uid), Number(stat.gid));
  if (!stat.isSymbolicLink()) chmodAt(to, name, Number(stat.mode) & 0o7777);
  const target = pathAt(to, name);
  for (const attribute of llistxattr(source)) {
    if (attribute.startsWith('trusted.overlay.')) continue; // the overlay's own bookkeeping
    const value = lgetxattr(source, attribute);
    if (value) lsetxattr(target, attribute, value);
  }
  utimesAt(to, name, stat.atimeNs, stat.mtimeNs);
}

/** Gives a folder the owner, mode and times of another. */
export function dressFolder(to: number, from: number): void {
  const stat = fstatSync(from);
  const open = openInRootSync(to, '.', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fchownSync(open, stat.uid, stat.gid);
    fchmodSync(open, stat.mode & 0o7777);
    futimesSync(open, stat.atime, stat.mtime);
  } finally {
    closeSync(open);
  }
}

/** Bytes on disk of a tree; what has several names counts once. */
export async function treeBytes(folder: number): Promise<number> {
  const seen = new Set<string>();
  let total = 0;
  let count = 0;
  const walk = async (at: number, depth: number): Promise<void> => {
    checkDepth(depth);
    for (const name of readdirSync(`/proc/self/fd/${at}`)) {
      if (++count % STRIDE === 0) await new Promise((resolve) => setImmediate(resolve));
      let entry;
      try {
        entry = openInRootSync(at, name, O_PATH | constants.O_NOFOLLOW, { follow: 'beneath' });
      } catch {
        continue; // removed meanwhile
      }
      try {
        const stat = fstatSync(entry, { bigint: true });
        if (stat.isDirectory()) await walk(entry, depth + 1);
        else if (stat.isFile()) {
          const key = `${stat.dev} ${stat.ino}`;
          if (stat.nlink > 1n && seen.has(key)) continue;
          if (stat.nlink > 1n) seen.add(key);
          total += Number(stat.size);
        }
      } finally {
        closeSync(entry);
      }
    }
  };
  await walk(folder, 0);
  return total;
}

/** Each level holds descriptors. */
function checkDepth(depth: number): void {
  if (depth > DEEPEST) throw new LongshoreError('invalid', `folders are nested more than ${DEEPEST} deep`);
}

/** glibc's gnu_dev_major and gnu_dev_minor. */
function major(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function minor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
