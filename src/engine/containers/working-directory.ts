import { closeSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { makeFoldersInRoot } from '../../host/beneath.ts';
import { LongshoreError } from '../../lib/errors.ts';
import { refuseWorkingDirectory } from '../runtime/cwd.ts';

/**
 * Makes a working directory where there is none, and refuses one that, followed through the image's own links,
 * would lead through /proc into the host (CVE-2024-21626).
 * @throws `invalid`
 */
export async function prepareWorkingDirectory(rootfs: string, cwd: string): Promise<string> {
  const path = cwd === '' ? '/' : cwd;
  refuseWorkingDirectory(path);
  if (path === '/') return path;
  let fd: number;
  try {
    fd = await makeFoldersInRoot(rootfs, path, 0o755);
  } catch (error) {
    throw new LongshoreError(
      'invalid',
      `the working directory '${path}' can't be made: something that isn't a folder is in the way, or a link leads nowhere`,
      { cause: error },
    );
  }
  try {
    const real = await readlink(`/proc/self/fd/${fd}`);
    const root = rootfs.replace(/\/$/, '');
    if (real.startsWith(`${root}/`)) refuseWorkingDirectory(real.slice(root.length));
  } finally {
    closeSync(fd);
  }
  return path;
}
