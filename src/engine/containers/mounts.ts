import { closeSync, constants } from 'node:fs';
import { access, lstat, mkdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { O_PATH, openInRoot } from '../../host/beneath.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import { notRunning } from './context.ts';
import type { Context } from './context.ts';
import type { ContainerSpec } from './containers.ts';
import type { Entry } from './entry.ts';
import type { ResolvedMount } from './oci-mounts.ts';

/** As the engine's own, in bytes, when the user says nothing. */
const SHM_BYTES = 64 * 1024 * 1024;

/** What of the host each mount of a container means. Volumes are made, filled and mounted on the way. @throws `invalid`, `not-found` */
export async function resolveMounts(context: Context, entry: Entry): Promise<ResolvedMount[]> {
  return Promise.all(entry.spec.mounts.map(async (mount, index): Promise<ResolvedMount> => {
    if (mount.type === 'tmpfs') return mount;
    if (mount.type === 'bind') {
      await mustExist(mount.source);
      return mount;
    }
    const volume = await context.volumes.create({ name: mount.volume });
    const source = await context.volumes.ready(volume.name);
    const { target, readOnly } = mount;
    if (mount.subpath !== undefined) return { type: 'bind', source: await mountSubpath(context, source, mount.subpath, `${ownMounts(entry.folder)}/${index}`), target, readOnly };
    if (mount.noCopy !== true) await populate(context, entry, volume.name, target);
    return { type: 'bind', source, target, readOnly };
  }));
}

/**
 * The folder of the host that is a container's /dev/shm; undefined where it has one that nobody else sees, `none` where it has none.
 * @throws `invalid` when it is to be somebody's who doesn't share it
 */
export async function sharedMemory(context: Context, entry: Entry): Promise<string | undefined> {
  const ipc = entry.spec.namespaces?.ipc;
  if (ipc === 'none') return 'none';
  if (ipc === 'shareable') {
    const folder = `${ownMounts(entry.folder)}/shm`;
    await context.host.mounts.unmount(folder);
    await mkdir(folder, { recursive: true, mode: 0o711 });
    await context.host.mounts.tmpfs(folder, { mode: 0o1777, sizeBytes: entry.spec.shmBytes ?? SHM_BYTES });
    return folder;
  }
  return ipc?.startsWith('container:') === true ? sharedBy(context, context.find(ipc.slice('container:'.length))) : undefined;
}

/** @throws `conflict`, `invalid` */
function sharedBy(context: Context, donor: Entry): string {
  const ipc = donor.spec.namespaces?.ipc;
  if (donor.run === undefined) throw new LongshoreError('conflict', `cannot join IPC of a non running container: ${donor.id}`, { object: `container ${donor.name}`, remedy: `Start it first: docker start ${donor.name}` });
  if (ipc === 'host') return '/dev/shm';
  if (ipc === 'shareable') return `${ownMounts(donor.folder)}/shm`;
  if (ipc?.startsWith('container:') === true) return sharedBy(context, context.find(ipc.slice('container:'.length)));
  throw new LongshoreError('invalid', `container ${donor.name}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`, { object: `container ${donor.name}` });
}

/** Path of a namespace to join; `private` or `host`. @throws `conflict` when it is of a container that doesn't run */
export function namespacePath(context: Context, choice: string | undefined, type: 'ipc' | 'pid' | 'uts'): string {
  if (choice === undefined || choice === '' || choice === 'private' || choice === 'shareable' || choice === 'none') return 'private';
  if (!choice.startsWith('container:')) return choice;
  const other = context.find(choice.slice('container:'.length));
  if (other.state.pid === undefined) throw notRunning(other);
  return `/proc/${other.state.pid}/ns/${type}`;
}

/** Unmounts what a container has mounted in its own folder. Nothing there is success. */
export async function releaseOwnMounts(context: Pick<Context, 'host'>, folder: string): Promise<void> {
  for (const target of await context.host.mounts.beneath(ownMounts(folder))) await context.host.mounts.unmount(target);
}

/** Whether a start mounts anything in the container's folder, beside its root. */
export function hasOwnMounts(spec: ContainerSpec): boolean {
  return spec.namespaces?.ipc === 'shareable' || spec.mounts.some((mount) => mount.type === 'volume' && mount.subpath !== undefined);
}

function ownMounts(folder: string): string {
  return `${folder}/mounts`;
}

/**
 * Mounts a part of a volume where no container reaches. The kernel resolves the path beneath the volume, and what it found is what is
 * mounted: a container that has the volume can put a link in its way at any time.
 */
async function mountSubpath(context: Context, root: string, subpath: string, target: string): Promise<string> {
  const descriptor = await openSubpath(root, subpath);
  try {
    const found = `/proc/self/fd/${descriptor}`;
    await context.host.mounts.unmount(target);
    await removePlace(target);
    if ((await stat(found)).isDirectory()) await mkdir(target, { recursive: true, mode: 0o711 });
    else {
      await mkdir(target.replace(/\/[^/]*$/, ''), { recursive: true, mode: 0o711 });
      await writeFile(target, '', { mode: 0o600 });
    }
    await context.host.mounts.bind(found, target, { recursive: false });
    return target;
  } finally {
    closeSync(descriptor);
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

async function openSubpath(root: string, subpath: string): Promise<number> {
  try {
    return await openInRoot(root, subpath, O_PATH, { follow: 'beneath' });
  } catch (error) {
    const about = { object: subpath, cause: error };
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) throw new LongshoreError('not-found', `cannot access path ${root}/${subpath}: the volume has no such volume-subpath`, { ...about, remedy: 'Create it in the volume first.' });
    if (isErrno(error, 'EXDEV') || isErrno(error, 'ELOOP')) throw new LongshoreError('invalid', `volume-subpath "${subpath}" leads through a link out of the volume`, { ...about, remedy: 'Name the real path.' });
    throw error;
  }
}

async function mustExist(source: string): Promise<void> {
  try {
    await access(source);
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
    throw new LongshoreError('invalid', `invalid mount config for type "bind": bind source path does not exist: ${source}`, { object: source, remedy: 'Create it, or correct the path.' });
  }
}

/** Gives a new volume what the image has at its place; by descriptor, since the image's links may lead anywhere. */
async function populate(context: Context, entry: Entry, volume: string, target: string): Promise<void> {
  let fd: number;
  try {
    fd = await openInRoot(entry.rootfs, target, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) return; // the image has nothing there
    throw error;
  }
  try {
    await context.volumes.populate(volume, `/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}
