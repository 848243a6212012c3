import { chmod, chown, lstat, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { persistentVolumeClaims, persistentVolumes } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import type { Mounts } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import { isErrno, LongshoreError } from '../../lib/errors.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../types/kubernetes/generated/core-v1.ts';
import { quantityToNumber } from '../../types/kubernetes/quantity.ts';
import { writePayload } from './atomic-writer.ts';
import { hasPayload, payloadOf, tokenSource, type PayloadSource } from './payload.ts';
import { mountSubPath } from './sub-path.ts';
import { diskUsage } from './usage.ts';
import { podFolder, type MountedVolume, type PodVolumes } from './volumes.ts';

export interface PodVolumesOptions {
  readonly transport: Transport;
  readonly mounts: Mounts;
  /** The node's folder; a pod's own is `pods/<uid>` in it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly allocatable: PayloadSource['allocatable'];
}

/** Volumes of pods over the host's mounts. */
export function createPodVolumes({ transport, mounts, folder, clock, allocatable }: PodVolumesOptions): PodVolumes {
  const source: PayloadSource = { transport, token: tokenSource(transport, () => clock.now()), allocatable };
  const stamp = (): string => new Date(clock.now()).toISOString().replaceAll(/[-:TZ.]/g, '_') + Math.floor(clock.monotonic() * 1000).toString(36);

  const write = async (pod: Pod, volume: Volume): Promise<string> => {
    const path = volumePath(folder, pod, volume);
    const payload = await payloadOf(source, pod, volume);
    await mkdir(path, { recursive: true, mode: 0o755 });
    await writePayload(path, payload, { stamp: stamp(), gid: pod.spec?.securityContext?.fsGroup });
    return path;
  };

  return {
    async setUp(pod, signal) {
      const mounted = await Promise.all(
        (pod.spec?.volumes ?? []).map(async (volume): Promise<[string, MountedVolume]> => {
          signal.throwIfAborted();
          // What comes from the API is nobody's to change: as with upstream, it is mounted for reading.
          if (hasPayload(volume)) return [volume.name, { path: await write(pod, volume), volume, readOnly: true }];
          if (volume.emptyDir) {
            return [volume.name, { path: await emptyDir(mounts, volumePath(folder, pod, volume), pod, volume), volume, readOnly: false }];
          }
          if (volume.hostPath) {
            return [volume.name, { path: await hostPath(volume.hostPath.path, volume.hostPath.type ?? '', pod), volume, readOnly: false }];
          }
          if (volume.persistentVolumeClaim || volume.ephemeral) return [volume.name, await claimed(transport, pod, volume)];
          const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unnamed';
          throw new LongshoreError('not-implemented', `volumes of kind ${kind} are not supported`, {
            object: `volume "${volume.name}" of pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
            remedy: 'Use emptyDir, hostPath, configMap, secret, projected, downwardAPI or persistentVolumeClaim.',
          });
        }),
      );
      return new Map(mounted);
    },
    subPath(pod, volume, path, name) {
      const target = join(podFolder(folder, pod.metadata?.uid ?? ''), 'sub-paths', name);
      return mountSubPath(mounts, {
        root: volume.path,
        path,
        target,
        object: `volume "${volume.volume.name}" of pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
      });
    },
    async refresh(pod) {
      for (const volume of pod.spec?.volumes ?? []) if (hasPayload(volume)) await write(pod, volume);
    },
    async outgrown(pod) {
      for (const volume of pod.spec?.volumes ?? []) {
        const { sizeLimit, medium } = volume.emptyDir ?? {};
        // In memory the limit is the size of the file system.
        if (sizeLimit === undefined || medium === 'Memory') continue;
        const limit = quantityToNumber(sizeLimit);
        if (limit > 0 && (await diskUsage(volumePath(folder, pod, volume), limit)) > limit) return volume;
      }
      return undefined;
    },
    async tearDown(uid) {
      const own = podFolder(folder, uid);
      for (const target of await mounts.beneath(own)) await mounts.unmount(target);
      await rm(own, { recursive: true, force: true });
    },
    async list() {
      try {
        return await readdir(join(folder, 'pods'));
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return [];
        throw error;
      }
    },
  };
}

function volumePath(folder: string, pod: Pod, volume: Volume): string {
  return join(podFolder(folder, pod.metadata?.uid ?? ''), 'volumes', volume.name);
}

async function emptyDir(mounts: Mounts, path: string, pod: Pod, { emptyDir: source }: Volume): Promise<string> {
  const ready = path + '.ready';
  try {
    await lstat(ready);
    return path;
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  await mkdir(path, { recursive: true, mode: 0o777 });
  if (source?.medium === 'Memory') {
    await mounts.unmount(path);
    await mounts.tmpfs(path, { mode: 0o777, ...(source.sizeLimit !== undefined && { sizeBytes: quantityToNumber(source.sizeLimit) }) });
  }
  // mkdir's mode is cut by the umask.
  const gid = pod.spec?.securityContext?.fsGroup;
  if (gid !== undefined) await chown(path, 0, gid);
  await chmod(path, gid === undefined ? 0o777 : 0o2777);
  await writeFile(ready, '');
  return path;
}

async function hostPath(path: string, type: string, pod: Pod): Promise<string> {
  const fail = (why: string): LongshoreError =>
    new LongshoreError('invalid', `hostPath type check failed: ${path} ${why}`, {
      object: `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
    });
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === 'FileOrCreate') await writeFile(path, '', { flag: 'a', mode: 0o644 });
  let found;
  try {
    found = await stat(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    if (type !== '') throw fail('does not exist');
    // An unchecked path that is missing becomes a folder, as container runtimes make it.
    await mkdir(path, { recursive: true, mode: 0o755 });
    return path;
  }
  if (type.startsWith('Directory') && !found.isDirectory()) throw fail('is not a directory');
  if (type.startsWith('File') && !found.isFile()) throw fail('is not a file');
  if (type === 'Socket' && !found.isSocket()) throw fail('is not a socket file');
  if (type === 'CharDevice' && !found.isCharacterDevice()) throw fail('is not a character device');
  if (type === 'BlockDevice' && !found.isBlockDevice()) throw fail('is not a block device');
  return path;
}

async function claimed(transport: Transport, pod: Pod, volume: Volume): Promise<MountedVolume> {
  const name = volume.persistentVolumeClaim?.claimName ?? `${pod.metadata?.name}-${volume.name}`;
  const claim = await transport.get<PersistentVolumeClaim>(persistentVolumeClaims, pod.metadata?.namespace, name);
  if (claim.status?.phase !== 'Bound' || !claim.spec?.volumeName) {
    throw new LongshoreError('conflict', `persistentvolumeclaim "${name}" is not bound`, {
      object: `pod ${pod.metadata?.namespace}/${pod.metadata?.name}`,
    });
  }
  const bound = await transport.get<PersistentVolume>(persistentVolumes, undefined, claim.spec.volumeName);
  const path = bound.spec?.hostPath?.path ?? bound.spec?.local?.path;
  if (path === undefined) {
    throw new LongshoreError('not-implemented', `persistent volume ${claim.spec.volumeName} is neither hostPath nor local`, {
      object: `persistentvolume ${claim.spec.volumeName}`,
    });
  }
  await mkdir(path, { recursive: true, mode: 0o777 });
  return { path, volume, readOnly: volume.persistentVolumeClaim?.readOnly ?? false };
}
