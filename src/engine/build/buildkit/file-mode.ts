import type { Stats } from 'node:fs';

/** Bits of Go's os.FileMode. */
const DIRECTORY = 0x8000_0000;
const SYMLINK = 0x0800_0000;
const DEVICE = 0x0400_0000;
const NAMED_PIPE = 0x0200_0000;
const SOCKET = 0x0100_0000;
const SETUID = 0x0080_0000;
const SETGID = 0x0040_0000;
const CHARACTER = 0x0020_0000;
const STICKY = 0x0010_0000;
const TYPE = DIRECTORY | SYMLINK | DEVICE | NAMED_PIPE | SOCKET | CHARACTER;

export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

export function kindOf(goMode: number): FileKind {
  const type = (goMode & TYPE) >>> 0;
  if (type === 0) return 'file';
  if (type === DIRECTORY) return 'directory';
  return type === SYMLINK ? 'symlink' : 'other';
}

/** Permission bits of Linux. */
export function permissionsOf(goMode: number): number {
  return (goMode & 0o777) | (goMode & SETUID ? 0o4000 : 0) | (goMode & SETGID ? 0o2000 : 0) | (goMode & STICKY ? 0o1000 : 0);
}

export function goModeOf(stats: Stats): number {
  let mode = stats.mode & 0o777;
  if (stats.mode & 0o4000) mode |= SETUID;
  if (stats.mode & 0o2000) mode |= SETGID;
  if (stats.mode & 0o1000) mode |= STICKY;
  if (stats.isDirectory()) mode |= DIRECTORY;
  else if (stats.isSymbolicLink()) mode |= SYMLINK;
  else if (stats.isFIFO()) mode |= NAMED_PIPE;
  else if (stats.isBlockDevice()) mode |= DEVICE;
  else if (stats.isCharacterDevice()) mode |= DEVICE | CHARACTER;
  else if (stats.isSocket()) mode |= SOCKET;
  return mode >>> 0;
}
