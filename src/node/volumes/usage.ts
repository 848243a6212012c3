import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../lib/errors.ts';

/** Linux counts a file's blocks in these, whatever its file system has. */
const BLOCK_BYTES = 512;

/**
 * What a tree takes on its disk, in bytes, counted no further than `enough`: a pod may fill a volume with any number of
 * files. Links are not followed; a file with several names counts once. What is removed meanwhile does not count.
 */
export async function diskUsage(folder: string, enough: number): Promise<number> {
  const folders = [folder];
  const seen = new Set<string>();
  let bytes = 0;
  for (let next = folders.pop(); next !== undefined && bytes <= enough; next = folders.pop()) {
    try {
      for await (const entry of await opendir(next)) {
        const path = join(next, entry.name);
        if (entry.isDirectory()) folders.push(path);
        bytes += await sizeOf(path, seen);
        if (bytes > enough) break;
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
    }
  }
  return bytes;
}

async function sizeOf(path: string, seen: Set<string>): Promise<number> {
  try {
    const { blocks, nlink, ino, dev } = await lstat(path);
    if (nlink > 1) {
      const id = `${dev} ${ino}`;
      if (seen.has(id)) return 0;
      seen.add(id);
    }
    return blocks * BLOCK_BYTES;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}
