import { closeSync, constants } from 'node:fs';
import { access, mkdir, readdir } from 'node:fs/promises';
import { O_PATH, openInRoot } from '../../host/beneath.ts';
import { mountFound } from '../../host/mount-found.ts';
import { LongshoreError, isCode, isErrno } from '../../lib/errors.ts';
import type { Context } from './context.ts';
import type { ContainerSpec, MountSpec } from './containers.ts';
import type { Entry } from './entry.ts';
import type { ResolvedMount } from './oci-mounts.ts';
import { checkPropagation } from './propagation.ts';

/** As the engine's own, in bytes, when the user says nothing. */
const SHM_BYTES = 64 * 1024 * 1024;

/** What of the host each mount of a container means. Volumes are made, filled and mounted on the way. @throws `invalid`, `not-found` */
export async function resolveMounts(context: Context, entry: Entry): Promise<ResolvedMount[]> {
  return Promise.all(
    entry.spec.mounts.map(async (mount, index): Promise<ResolvedMount> => {
      if (mount.type === 'tmpfs') return mount;
      if (mount.type === 'bind') {
        await mustExist(mount.source);
        if (mount.propagation !== undefined && entry.spec.owner === 'docker') await checkPropagation(mount.source, mount.propagation);
        return mount;
      }
      if (mount.type === 'image') {
        return { type: 'bind', source: await mountImage(context, entry, mount, index), target: mount.target, readOnly: true };
      }
      const volume = await context.volumes.create({ name: mount.volume });
      const source = await context.volumes.ready(volume.name);
      const { target, readOnly } = mount;
      if (mount.subpath !== undefined) {
        return {
          type: 'bind',
          source: await mountSubpath(context, source, mount.subpath, `${ownMounts(entry.folder)}/${index}`, 'volume'),
          target,
          readOnly,
        };
      }
      if (mount.noCopy !== true) await populate(context, entry, volume.name, target);
      return { type: 'bind', source, target, readOnly };
    }),
  );
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
  if (donor.run === undefined) {
    throw new LongshoreError('conflict', `cannot join IPC of a non running container: ${donor.id}`, {
      object: `container ${donor.name}`,
      remedy: `Start it first: docker start ${donor.name}`,
    });
  }
  if (ipc === 'host') return '/dev/shm';
  if (ipc === 'shareable') return `${ownMounts(donor.folder)}/shm`;
  if (ipc?.startsWith('container:') === true) return sharedBy(context, context.find(ipc.slice('container:'.length)));
  throw new LongshoreError('invalid', `container ${donor.name}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`, {
    object: `container ${donor.name}`,
  });
}

/** Path of a namespace to join; `private` or `host`. @throws `not-found`, `internal` (it is of a container that doesn't run) */
export function namespacePath(context: Context, choice: string | undefined, type: 'ipc' | 'pid' | 'uts'): string {
  if (choice === undefined || choice === '' || choice === 'private' || choice === 'shareable' || choice === 'none') return 'private';
  if (!choice.startsWith('container:')) return choice;
  const other = context.find(choice.slice('container:'.length));
  // Its state is to blame, not the request.
  if (other.state.pid === undefined) {
    throw new LongshoreError('internal', `failed to join ${type.toUpperCase()} namespace: container ${other.id} is not running`, {
      object: `container ${other.name}`,
      remedy: `Start it: docker start ${other.name}`,
    });
  }
  return `/proc/${other.state.pid}/ns/${type}`;
}

/** Unmounts what a container has mounted in its own folder. Nothing there is success. */
export async function releaseOwnMounts(context: Pick<Context, 'host'>, folder: string): Promise<void> {
  for (const target of await context.host.mounts.beneath(ownMounts(folder))) await context.host.mounts.unmount(target);
}

/** Whether a start mounts anything in the container's folder, beside its root. */
export function hasOwnMounts(spec: ContainerSpec): boolean {
  return (
    spec.namespaces?.ipc === 'shareable' ||
    spec.mounts.some((mount) => mount.type === 'image' || (mount.type === 'volume' && mount.subpath !== undefined))
  );
}

function ownMounts(folder: string): string {
  return `${folder}/mounts`;
}

/**
 * Mounts an image where no container reaches, over a layer of the container's own: that keeps the image's layers, whatever becomes of the image
 * itself, until the container is removed.
 */
async function mountImage(context: Context, entry: Entry, mount: Extract<MountSpec, { type: 'image' }>, index: number): Promise<string> {
  const { snapshots } = context.images;
  const key = imageLayer(entry.id, index);
  const place = `${ownMounts(entry.folder)}/${index}-image`;
  await context.host.mounts.unmount(place);
  await mkdir(place, { recursive: true, mode: 0o711 });
  try {
    await snapshots.layers(key);
  } catch (error) {
    if (!isCode(error, 'not-found')) throw error;
    const image = await context.images.get(mount.image);
    const release = context.images.lease(image.id);
    try {
      await snapshots.prepare(key, image.layers.length === 0 ? undefined : await snapshots.unpack(image));
    } finally {
      await release();
    }
  }
  await snapshots.mount(key, place);
  return mount.subpath === undefined ? place : mountSubpath(context, place, mount.subpath, `${ownMounts(entry.folder)}/${index}`, 'image');
}

/** Takes away the layers over which a container had images mounted. Nothing there is success. */
export async function removeImageLayers(context: Pick<Context, 'images'>, id: string, folder: string): Promise<void> {
  // By their places, which were made before them: a container that is half removed has no more than these.
  const places = await readdir(ownMounts(folder)).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  });
  for (const place of places) {
    const index = /^(\d+)-image$/.exec(place)?.[1];
    if (index !== undefined) await context.images.snapshots.remove(imageLayer(id, Number(index)));
  }
}

function imageLayer(id: string, index: number): string {
  return `${id}-image-${index}`;
}

/**
 * Mounts a part of a volume or image where no container reaches. The kernel resolves the path beneath its root, and what it found is what is
 * mounted: a container that has the volume can put a link in its way at any time.
 */
async function mountSubpath(context: Context, root: string, subpath: string, target: string, of: 'volume' | 'image'): Promise<string> {
  await mountFound(context.host.mounts, await openSubpath(root, subpath, of), target, { mode: 0o711, recursive: false });
  return target;
}

async function openSubpath(root: string, subpath: string, of: 'volume' | 'image'): Promise<number> {
  try {
    return await openInRoot(root, subpath, O_PATH, { follow: 'beneath' });
  } catch (error) {
    const about = { object: subpath, cause: error };
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) {
      throw new LongshoreError(
        'not-found',
        `cannot access path ${root}/${subpath}: ${of === 'volume' ? `lstat ${root}/${subpath}: no such file or directory` : 'the image has no such image-subpath'}`,
        {
          ...about,
          remedy: of === 'volume' ? 'Create it in the volume first, or correct the volume-subpath.' : 'Name a path that the image has.',
        },
      );
    }
    if (isErrno(error, 'EXDEV') || isErrno(error, 'ELOOP')) {
      throw new LongshoreError(
        'invalid',
        `path concatenation escapes the base directory: ${of}-subpath "${subpath}" leads through a link out of the ${of}`,
        { ...about, remedy: 'Name the real path.' },
      );
    }
    throw error;
  }
}

async function mustExist(source: string): Promise<void> {
  try {
    await access(source);
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
    throw new LongshoreError('invalid', `invalid mount config for type "bind": bind source path does not exist: ${source}`, {
      object: source,
      remedy: 'Create it, or correct the path.',
    });
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
