import { open, readFile, readlink } from 'node:fs/promises';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import type { Spawner } from './host.ts';
import { which } from './which.ts';

let looked: Promise<boolean> | undefined;

/**
 * True in a chroot: where `/` is not the root of the mount namespace. A runtime that enters a container's namespace
 * there to run a command finds itself at the namespace's own root, which is the machine's, and not the container's.
 * Who has no nsenter (util-linux) is not told.
 */
export function isRootChanged(spawn: Spawner): Promise<boolean> {
  looked ??= (async () => {
    const here = await placeOf('/');
    if (here === (await rootOfFirstProcess())) return false;
    const nsenter = await which('nsenter');
    if (nsenter === undefined) return false;
    const { stdout } = await spawn.run(nsenter, ['--mount=/proc/self/ns/mnt', 'sh', '-c', 'exec 3</ && cat /proc/self/fdinfo/3'], { timeoutMs: 5000 });
    return placeIn(stdout.toString()) !== here;
  })();
  return looked;
}

/** The mount and the inode of a folder: one folder may be mounted in several places. */
async function placeOf(path: string): Promise<string> {
  const folder = await open(path, 'r');
  try {
    return placeIn(await readFile(`/proc/self/fdinfo/${folder.fd}`, 'utf8'));
  } finally {
    await folder.close();
  }
}

function placeIn(fdinfo: string): string {
  return /^mnt_id:\s*(\d+)$/m.exec(fdinfo)?.[1] + ' ' + (/^ino:\s*(\d+)$/m.exec(fdinfo)?.[1] ?? '');
}

/** Nobody put the first process into a chroot: who has its namespace and its root is in none. Undefined where it is elsewhere, or can't be looked at. */
async function rootOfFirstProcess(): Promise<string | undefined> {
  try {
    const [mine, first] = await Promise.all([readlink('/proc/self/ns/mnt'), readlink('/proc/1/ns/mnt')]);
    return mine === first ? await placeOf('/proc/1/root/') : undefined;
  } catch (error) {
    if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM')) return undefined;
    throw error;
  }
}

/** @throws LongshoreError `invalid` in a chroot */
export async function refuseChangedRoot(spawn: Spawner): Promise<void> {
  if (!(await isRootChanged(spawn))) return;
  throw new LongshoreError(
    'invalid',
    "this is a changed root (chroot), in which commands for a container would run on the machine's own file system",
    {
      object: '/',
      remedy: 'Start longshore outside of it, or enter the folder with a mount namespace whose root it is: unshare --mount, pivot_root.',
    },
  );
}
