import { closeSync, constants, fchmodSync, fchownSync, lstatSync, openSync, readdirSync, readlinkSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { openInRootSync } from '../../../host/beneath.ts';
import { mkdirAt, pathAt } from '../../../host/fs.ts';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { cleanParts } from './match.ts';
import { FOLDER, realPath } from './source.ts';
import { linkTarget } from '../layers/entry-name.ts';
import { findBelow } from '../layers/settle-job.ts';

export interface TreeFolderJob {
  readonly kind: 'tree-folder';
  readonly root: string;
  readonly path: string;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/**
 * Makes a folder and those above it, mode 0755, resolved inside of the root.
 * @returns whether anything was made.
 * @throws `invalid` when a file is in the way
 */
export function makeTreeFolder({ root, path, owner }: TreeFolderJob): boolean {
  return makeFolder(root, path, owner, 0);
}

function makeFolder(root: string, path: string, owner: TreeFolderJob['owner'], depth: number): boolean {
  if (depth > 40) throw new LongshoreError('invalid', `${path} lies behind too many symlinks`, { object: path });
  let made = false;
  let at = openSync(root, FOLDER);
  let done = '';
  try {
    for (const name of cleanParts(path)) {
      const parent = done;
      done += `/${name}`;
      let fresh = false;
      try {
        const there = lstatSync(pathAt(at, name), { throwIfNoEntry: false });
        if (!there) {
          mkdirAt(at, name, 0o755);
          fresh = made = true;
        } else if (there.isSymbolicLink() && realPath(root, done) === undefined) {
          made = makeFolder(root, linkTarget(parent, readlinkSync(pathAt(at, name))), owner, depth + 1) || made;
        }
        const next = openInRootSync(root, done, constants.O_RDONLY | constants.O_DIRECTORY);
        closeSync(at);
        at = next;
      } catch (error) {
        if (isErrno(error, 'ENOTDIR') || isErrno(error, 'ENOENT')) {
          throw new LongshoreError('invalid', `${done} is not a directory`, { object: done, cause: error });
        }
        throw error;
      }
      if (fresh) {
        fchownSync(at, owner.uid, owner.gid);
        fchmodSync(at, 0o755);
      }
    }
    return made;
  } finally {
    closeSync(at);
  }
}

export interface TreeResolveJob {
  readonly kind: 'tree-resolve';
  readonly root: string;
  readonly paths: readonly string[];
}

/** For each path, the real, absolute path of what it leads to inside of the root, and whether that is a folder; undefined when there is nothing. */
export function resolveInTree({ root, paths }: TreeResolveJob): ({ readonly path: string; readonly folder: boolean } | undefined)[] {
  return paths.map((path) => {
    const real = realPath(root, path);
    return real === undefined ? undefined : { path: real, folder: statSync(real).isDirectory() };
  });
}

export interface TreeStubsJob {
  readonly kind: 'tree-stubs';
  readonly upper: string;
  readonly lower: readonly string[];
  /** Where something was mounted. */
  readonly paths: readonly string[];
}

/**
 * Takes away the empty files and folders that a runtime made as places for mounts, where the layers below have none.
 * @returns whether the upper directory is empty then
 */
export function removeStubs({ upper, lower, paths }: TreeStubsJob): boolean {
  for (const path of paths) {
    // From the place itself upwards, as long as it is new and empty.
    for (let parts = cleanParts(path); parts.length > 0; parts = parts.slice(0, -1)) {
      const at = parts.join('/');
      if (findBelow(lower, at)) break;
      const full = `${upper}/${at}`;
      const stats = throughFolders(upper, parts) ? lstatSync(full, { throwIfNoEntry: false }) : undefined;
      if (!stats) continue;
      if (stats.isDirectory() && readdirSync(full).length === 0) rmdirSync(full);
      else if (stats.isFile() && stats.size === 0 && parts.length === cleanParts(path).length) unlinkSync(full);
      else break;
    }
  }
  return isEmptyChange(upper, lower);
}

/** No symlink on the way: only then is a joined path what it says. */
function throughFolders(root: string, parts: readonly string[]): boolean {
  let at = root;
  for (const part of parts.slice(0, -1)) {
    at += `/${part}`;
    if (!lstatSync(at, { throwIfNoEntry: false })?.isDirectory()) return false;
  }
  return true;
}

/** Nothing but folders that a mount's making or an access has copied up, the same as below. */
function isEmptyChange(upper: string, lower: readonly string[], path = ''): boolean {
  for (const name of readdirSync(`${upper}/${path}`)) {
    const at = path === '' ? name : `${path}/${name}`;
    const stats = lstatSync(`${upper}/${at}`);
    const below = findBelow(lower, at);
    if (!stats.isDirectory() || !below?.stats.isDirectory()) return false;
    if (
      stats.mode !== below.stats.mode ||
      stats.uid !== below.stats.uid ||
      stats.gid !== below.stats.gid ||
      !isEmptyChange(upper, lower, at)
    ) {
      return false;
    }
  }
  return true;
}
