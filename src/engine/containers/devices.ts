import { readdir, stat } from 'node:fs/promises';
import type { BlockIoLimits, DeviceRate } from '../../host/host.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import type { DeviceLimit } from './containers.ts';

/** An entry of `linux.devices`, and its rule in `linux.resources.devices`. */
export interface OciDevice {
  readonly path: string;
  readonly type: 'c' | 'b' | 'p';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly access: string;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
}

/** The device nodes that --device asks for; a folder gives all in it. @throws `invalid` when there is none at that path */
export async function requestedDevices(
  requests: readonly { readonly hostPath: string; readonly containerPath: string; readonly permissions: string }[],
): Promise<{ devices: OciDevice[]; rules: DeviceRule[] }> {
  const devices: OciDevice[] = [];
  const rules: DeviceRule[] = [];
  for (const request of requests) {
    const found = await devicesAt(request.hostPath, request.containerPath);
    if (found.length === 0) {
      throw new LongshoreError(
        'invalid',
        `error gathering device information while adding custom device "${request.hostPath}": not a device node`,
        { object: request.hostPath },
      );
    }
    for (const device of found) {
      devices.push(device);
      rules.push({ allow: true, type: device.type, major: device.major, minor: device.minor, access: request.permissions || 'rwm' });
    }
  }
  return { devices, rules };
}

/** `c 1:3 rwm`, `b *:* m`, `a *:* rwm`: a rule as --device-cgroup-rule has it; undefined for what is none. */
export function deviceRule(text: string): DeviceRule | undefined {
  const found = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (found === null) return undefined;
  const [, type, majorText, minorText, access = ''] = found;
  return {
    allow: true,
    access,
    type: type!,
    ...(majorText === '*' ? {} : { major: Number(majorText) }),
    ...(minorText === '*' ? {} : { minor: Number(minorText) }),
  };
}

/** Limits of the block devices that are at these paths now. @throws `invalid` where there is none */
export async function deviceLimits(wanted: readonly DeviceLimit[]): Promise<BlockIoLimits> {
  const limits: { [name in DeviceLimit['limit']]?: DeviceRate[] } = {};
  for (const { limit, path, rate } of wanted) {
    const info = await stat(path).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
      throw new LongshoreError('invalid', `stat ${path}: no such file or directory`, {
        object: path,
        remedy: 'Name a block device of /dev, as lsblk lists them.',
        cause: error,
      });
    });
    if (!info.isBlockDevice()) {
      throw new LongshoreError('invalid', `${path} is no block device, and has no limits of one`, {
        object: path,
        remedy: 'Name a block device of /dev, as lsblk lists them.',
      });
    }
    (limits[limit] ??= []).push({ major: major(info.rdev), minor: minor(info.rdev), rate });
  }
  return limits;
}

/** Folders of /dev that are mounts of each container's own, or not devices. */
const NOT_DEVICES = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console', 'stdin', 'stdout', 'stderr', 'core']);

/** All of the host's devices: what --privileged means. */
export async function hostDevices(folder = '/dev'): Promise<OciDevice[]> {
  const found: OciDevice[] = [];
  for (const name of await readdir(folder)) {
    if (folder === '/dev' && NOT_DEVICES.has(name)) continue;
    found.push(...(await devicesAt(`${folder}/${name}`, `${folder}/${name}`)));
  }
  return found;
}

async function devicesAt(hostPath: string, containerPath: string): Promise<OciDevice[]> {
  let info;
  try {
    info = await stat(hostPath);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENXIO')) return [];
    throw error;
  }
  if (info.isDirectory()) {
    const found: OciDevice[] = [];
    for (const name of await readdir(hostPath)) found.push(...(await devicesAt(`${hostPath}/${name}`, `${containerPath}/${name}`)));
    return found;
  }
  if (!info.isCharacterDevice() && !info.isBlockDevice()) return [];
  return [
    {
      path: containerPath,
      type: info.isBlockDevice() ? 'b' : 'c',
      major: major(info.rdev),
      minor: minor(info.rdev),
      fileMode: info.mode & 0o7777,
      uid: info.uid,
      gid: info.gid,
    },
  ];
}

/** Linux's dev_t: minor in bits 0 to 7 and 20 to 31, major between them. */
function major(device: number): number {
  return Math.floor(device / 256) & 0xfff;
}

function minor(device: number): number {
  return (device & 0xff) | ((Math.floor(device / 2 ** 12) & 0xfff00) >>> 0);
}
