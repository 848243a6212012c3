import { closeSync, constants, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { openInRootSync, O_PATH } from '../../../host/beneath.ts';
import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { cleanParts, compilePattern, expandPattern, hasWildcard } from './match.ts';
import type { PathPattern } from './match.ts';

/** What is taken of a tree: the same for hashing and for copying. */
export interface TreeSelection {
  /** A folder that nobody changes meanwhile. */
  readonly root: string;
  /** Paths in it, or patterns. */
  readonly sources: readonly string[];
  /** Patterns, relative to each source (or to the root, for files in it), of what is left out. */
  readonly exclude?: readonly string[];
  /** Take the sources' paths along instead of their last names. */
  readonly parents?: boolean;
}

export interface Source {
  /** As it was asked for. */
  readonly asked: string;
  /** The real, absolute path. */
  readonly real: string;
  readonly stats: Stats;
}

/**
 * Resolves the sources beneath their root; a symlink as a source is followed, inside.
 * @throws `not-found` for one that is not there; a pattern may match nothing
 */
export function resolveSources(selection: TreeSelection): Source[] {
  const out: Source[] = [];
  for (const asked of selection.sources) {
    const clean = cleanParts(asked).join('/');
    const paths = hasWildcard(clean) ? expandPattern(selection.root, clean) : [clean.replaceAll(/\\(.)/g, '$1')];
    for (const path of paths) {
      const real = realPath(selection.root, path);
      if (real === undefined) {
        if (hasWildcard(clean)) continue; // a symlink that leads nowhere
        throw new LongshoreError('not-found', `"/${clean}": not found`, { object: clean });
      }
      out.push({ asked: path, real, stats: lstatSync(real) });
    }
  }
  return out;
}

/** The absolute path of what `path` leads to, resolved inside of the root; undefined when there is nothing. */
export function realPath(root: string, path: string): string | undefined {
  let fd: number;
  try {
    fd = openInRootSync(root, path === '' ? '.' : path, O_PATH);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) return undefined;
    throw error;
  }
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

/** True for what the selection's exclusions take out, by the path relative to the source. */
export function excluder(selection: TreeSelection): PathPattern {
  const patterns = (selection.exclude ?? []).map((pattern) => compilePattern(pattern, true));
  return (path) => patterns.some((matches) => matches(path));
}

export interface WalkedEntry {
  /** Relative to the source; '' is the source itself. */
  readonly path: string;
  readonly real: string;
  readonly stats: Stats;
}

/** The source and all in it, folders before what they hold, sorted. */
export function* walkSource(source: Source, excluded: PathPattern): Generator<WalkedEntry, void, void> {
  yield { path: '', real: source.real, stats: source.stats };
  if (!source.stats.isDirectory()) return;
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const below: string[] = [];
    for (const name of readdirSync(`${source.real}/${folder}`).sort()) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (excluded(path)) continue;
      const real = `${source.real}/${path}`;
      const stats = lstatSync(real);
      yield { path, real, stats };
      if (stats.isDirectory()) below.push(path);
    }
    pending.push(...below.toReversed());
  }
}

export const FOLDER = O_PATH | constants.O_DIRECTORY;
