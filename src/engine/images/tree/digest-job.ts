import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readlinkSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { lgetxattr } from '../../../host/fs.ts';
import { excluder, resolveSources, walkSource } from './source.ts';
import type { TreeSelection } from './source.ts';

export interface TreeDigestJob {
  readonly kind: 'tree-digest';
  readonly selection: TreeSelection;
}

/** Digests of files by device, inode, times and size: a context is hashed again at each build. */
const known = new Map<string, string>();
const KNOWN = 50_000;
const buffer = Buffer.allocUnsafe(256 * 1024);

/**
 * A digest over names, types, modes, owners, links and contents of what is selected; times don't count. Blocks its thread.
 * @throws `not-found`
 */
export function digestTree(job: TreeDigestJob): string {
  const hash = createHash('sha256');
  const excluded = excluder(job.selection);
  for (const source of resolveSources(job.selection)) {
    const shown = job.selection.parents ? source.asked : (source.asked.split('/').at(-1) ?? '');
    // A folder's name doesn't matter: its contents are what is copied.
    hash.update(`source ${source.stats.isDirectory() && !job.selection.parents ? '' : shown}\0`);
    for (const { path, real, stats } of walkSource(source, excluded)) hash.update(`${path}\0${describe(real, stats)}\0`);
  }
  return `sha256:${hash.digest('hex')}`;
}

function describe(path: string, stats: Stats): string {
  const base = `${stats.mode.toString(8)} ${stats.uid}:${stats.gid}`;
  if (stats.isSymbolicLink()) return `${base} ${readlinkSync(path)}`;
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return `${base} ${stats.rdev}`;
  if (!stats.isFile()) return base;
  const capability = lgetxattr(path, 'security.capability');
  return `${base} ${stats.size} ${digestFile(path, stats)}${capability ? ` ${capability.toString('hex')}` : ''}`;
}

function digestFile(path: string, stats: Stats): string {
  const key = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const hash = createHash('sha256');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  const digest = hash.digest('hex');
  // A file that changed within the clock's grain could change again unseen.
  if (Date.now() - Math.max(stats.mtimeMs, stats.ctimeMs) > 1000) {
    known.set(key, digest);
    if (known.size > KNOWN) known.delete(known.keys().next().value!);
  }
  return digest;
}
