import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../lib/errors.ts';
import type { Docker } from './deploy/docker.ts';
import type { Home } from './home.ts';
import { localPathRoot } from './remove-volume.ts';

/** What one part of an instance takes. */
export interface Usage {
  readonly name: string;
  /** How many of it there are; left out for what is not counted. */
  readonly count?: number;
  readonly bytes: number;
  /** What `longshore prune` could free of it; left out for what it does not touch. */
  readonly reclaimable?: number;
}

interface DockerUsage {
  readonly LayersSize: number;
  readonly Images: readonly { readonly Size: number; readonly SharedSize: number; readonly Containers: number }[];
  readonly Containers: readonly { readonly SizeRw: number; readonly State: string }[];
  readonly Volumes: readonly { readonly UsageData: { readonly Size: number; readonly RefCount: number } }[];
  readonly BuildCache: readonly { readonly Size: number; readonly InUse: boolean; readonly Shared: boolean }[];
}

/** Where the disk went: what the engine tells of images, containers, volumes and cache, and folders of the instance that are not the engine's. */
export async function diskUsage(home: Home, docker: Docker): Promise<readonly Usage[]> {
  const { BuildCache, Containers, Images, LayersSize, Volumes } = (await docker.json('GET', '/system/df')) as DockerUsage;
  const sum = <T>(all: readonly T[], size: (one: T) => number): number => all.reduce((total, one) => total + Math.max(0, size(one)), 0);
  const [state, claims, log] = await Promise.all([folderBytes(home.store), folderBytes(localPathRoot(home)), folderBytes(home.daemonLog)]);
  return [
    {
      name: 'images',
      count: Images.length,
      bytes: LayersSize,
      reclaimable: sum(Images, (image) => (image.Containers > 0 ? 0 : image.Size - image.SharedSize)),
    },
    {
      name: 'containers',
      count: Containers.length,
      bytes: sum(Containers, (container) => container.SizeRw),
      reclaimable: sum(Containers, (container) => (['exited', 'created', 'dead'].includes(container.State) ? container.SizeRw : 0)),
    },
    {
      name: 'volumes',
      count: Volumes.length,
      bytes: sum(Volumes, ({ UsageData }) => UsageData.Size),
      reclaimable: sum(Volumes, ({ UsageData }) => (UsageData.RefCount > 0 ? 0 : UsageData.Size)),
    },
    {
      name: 'build-cache',
      count: BuildCache.length,
      bytes: sum(BuildCache, (record) => (record.Shared ? 0 : record.Size)),
      reclaimable: sum(BuildCache, (record) => (record.InUse || record.Shared ? 0 : record.Size)),
    },
    { name: 'claims', bytes: claims },
    { name: 'cluster-state', bytes: state },
    { name: 'log', bytes: log },
  ];
}

/** What a folder or file takes on the disk, links not followed; 0 for what is not there. */
async function folderBytes(path: string): Promise<number> {
  try {
    const found = await lstat(path);
    let bytes = found.blocks * 512;
    if (found.isDirectory()) for (const name of await readdir(path)) bytes += await folderBytes(join(path, name));
    return bytes;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0; // it went while we looked
    throw error;
  }
}
