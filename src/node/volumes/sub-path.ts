import { chmod, stat } from 'node:fs/promises';
import { makeFoldersInRoot, O_PATH, openInRoot } from '../../host/beneath.ts';
import type { Mounts } from '../../host/host.ts';
import { mountFound } from '../../host/mount-found.ts';
import { isErrno, LongshoreError } from '../../lib/errors.ts';

export interface SubPath {
  /** The volume's folder. What is beneath may be changed by containers while we look. */
  readonly root: string;
  /** Relative; the part of the volume that is wanted. Made as a folder where it is missing. */
  readonly path: string;
  /** Where it is mounted, in a folder that no container reaches: what the container's runtime is given. */
  readonly target: string;
  /** For errors. */
  readonly object: string;
}

/**
 * Mounts a part of a volume at a place of our own. The kernel resolves the
 * path beneath the volume, and what is mounted is what it found: a link that
 * is put in its way before, meanwhile or afterwards leads nowhere else. Links
 * that stay inside of the volume are followed, as those are to keys of a
 * ConfigMap. What an earlier run of the container had there is let go.
 * @throws LongshoreError `invalid` for a path that leads out
 */
export async function mountSubPath(mounts: Mounts, { root, path, target, object }: SubPath): Promise<string> {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/') || parts.includes('..')) {
    throw new LongshoreError('invalid', `subPath "${path}" must be relative and without ".."`, { object });
  }
  const descriptor = await open(root, parts.join('/') || '.', path, object);
  await mountFound(mounts, descriptor, target, { mode: 0o750, recursive: true });
  return target;
}

async function open(root: string, wanted: string, shown: string, object: string): Promise<number> {
  try {
    try {
      return await openInRoot(root, wanted, O_PATH, { follow: 'beneath' });
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      // The folders that lead there are made where the kernel found that they are missing: beneath the root as well.
      const mode = (await stat(root)).mode & 0o7777;
      const made = await makeFoldersInRoot(root, wanted, mode, { follow: 'beneath' });
      await chmod(`/proc/self/fd/${made}`, mode); // As the volume's own, which the umask may have cut.
      return made;
    }
  } catch (error) {
    if (isErrno(error, 'EXDEV') || isErrno(error, 'ELOOP') || isErrno(error, 'ENOENT')) {
      throw new LongshoreError('invalid', `subPath "${shown}" leads through a link out of the volume`, { object, remedy: 'Name the real path.', cause: error });
    }
    throw error;
  }
}
