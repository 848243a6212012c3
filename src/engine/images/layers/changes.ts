import { lstat, opendir } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { lgetxattr } from '../../../host/fs.ts';
import { isErrno } from '../../../lib/errors.ts';
import { isWhiteout, OPAQUE_XATTR } from './overlay.ts';

export interface PathChange {
  readonly path: string;
  /** 0 modified, 1 added, 2 deleted. */
  readonly kind: 0 | 1 | 2;
}

/**
 * What an upper directory changes against the layers below (topmost first): each folder on the way
 * counts as modified, as `docker diff` has it. Sorted by path.
 */
export async function changesOf(upper: string, lower: readonly string[]): Promise<PathChange[]> {
  const out: PathChange[] = [];
  await compare(upper, [...lower], '', out);
  return out.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

async function compare(upper: string, lower: readonly string[], path: string, out: PathChange[]): Promise<void> {
  for await (const { name } of await opendir(upper + path)) {
    const at = `${path}/${name}`;
    const stats = await lstat(upper + at);
    const below = await find(lower, at);
    if (isWhiteout(stats)) {
      if (below) out.push({ path: at, kind: 2 });
      continue;
    }
    out.push({ path: at, kind: below ? 0 : 1 });
    if (!stats.isDirectory()) continue;
    const opaque = lgetxattr(upper + at, OPAQUE_XATTR)?.toString() === 'y';
    await compare(upper, opaque || !below?.isDirectory() ? [] : lower, at, out);
    if (opaque && below?.isDirectory()) {
      for (const hidden of await namesBelow(lower, at)) {
        if (!(await exists(`${upper}${at}/${hidden}`))) out.push({ path: `${at}/${hidden}`, kind: 2 });
      }
    }
  }
}

/** What the layers show at a path whose parents are folders in all of them that have it. */
async function find(lower: readonly string[], path: string): Promise<Stats | undefined> {
  for (const layer of lower) {
    const seen = await look(layer, path);
    if (seen === 'hidden') return undefined;
    if (seen) return seen;
  }
  return undefined;
}

async function look(layer: string, path: string): Promise<Stats | 'hidden' | undefined> {
  let at = layer;
  let opaque = false;
  let stats: Stats | undefined;
  for (const part of path.slice(1).split('/')) {
    if (stats && lgetxattr(at, OPAQUE_XATTR)?.toString() === 'y') opaque = true;
    at += `/${part}`;
    try {
      stats = await lstat(at);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return opaque ? 'hidden' : undefined;
      if (isErrno(error, 'ENOTDIR')) return 'hidden';
      throw error;
    }
    if (isWhiteout(stats)) return 'hidden';
  }
  return stats;
}

async function namesBelow(lower: readonly string[], path: string): Promise<string[]> {
  const names = new Set<string>();
  for (const layer of lower) {
    if (!(await exists(layer + path))) continue;
    for await (const { name } of await opendir(layer + path)) if (await find(lower, `${path}/${name}`)) names.add(name);
  }
  return [...names];
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}

/** Sum of the sizes of the files in a folder; a file with several links counts once. */
export async function bytesOf(folder: string, seen = new Set<number>()): Promise<number> {
  let sum = 0;
  for await (const entry of await opendir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      sum += await bytesOf(path, seen).catch(ignoreGone);
      continue;
    }
    if (!entry.isFile()) continue;
    const stats = await lstat(path).catch(ignoreGone);
    if (stats === 0) continue;
    if (stats.nlink > 1 && seen.has(stats.ino)) continue;
    seen.add(stats.ino);
    sum += stats.size;
  }
  return sum;
}

/** A container that runs changes its files meanwhile. */
function ignoreGone(error: unknown): 0 {
  if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return 0;
  throw error;
}
