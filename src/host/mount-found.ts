import { closeSync } from 'node:fs';
import { lstat, mkdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from '../lib/errors.ts';
import type { Mounts } from './host.ts';

/**
 * Mounts what a descriptor holds at a place of ours, and closes the descriptor. A path that was resolved beneath a
 * root (openInRoot) is so mounted as it was found, whatever a container puts in its way meanwhile.
 * @param target made as a folder or a file, as what is found is one; what an earlier run had mounted there is let go
 * @param options.mode of the folders that are made
 */
export async function mountFound(
  mounts: Pick<Mounts, 'bind' | 'unmount'>,
  descriptor: number,
  target: string,
  options: { readonly mode: number; readonly recursive: boolean },
): Promise<void> {
  const { mode, recursive } = options;
  try {
    const found = `/proc/self/fd/${descriptor}`;
    await mounts.unmount(target);
    await removePlace(target);
    await mkdir(dirname(target), { recursive: true, mode });
    if ((await stat(found)).isDirectory()) await mkdir(target, { mode });
    else await writeFile(target, '', { mode: 0o600 });
    await mounts.bind(found, target, { recursive });
  } finally {
    closeSync(descriptor);
  }
}

/** Lets go what is mounted at a file of ours, and removes the file. Nothing there is success. */
export async function unmountFile(mounts: Pick<Mounts, 'unmount'>, path: string): Promise<void> {
  await mounts.unmount(path);
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** The empty folder or file on which an earlier run had its mount. Never what is mounted: that would be busy, and is not empty. */
async function removePlace(target: string): Promise<void> {
  try {
    if ((await lstat(target)).isDirectory()) await rmdir(target);
    else await unlink(target);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
