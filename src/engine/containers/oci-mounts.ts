import { LongshoreError } from '../../lib/errors.ts';
import type { BindRecursion, ContainerSpec } from './containers.ts';

/** An entry of `mounts` of the OCI config. */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** A mount that the user asked for, with the folder or file of the host that it means. */
export type ResolvedMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation?: string;
      readonly recursion?: BindRecursion;
    }
  | Extract<ContainerSpec['mounts'][number], { type: 'tmpfs' }>;

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

export interface MountContext {
  readonly privileged: boolean;
  readonly cgroupVersion: 1 | 2;
  readonly ipc: 'host' | 'private' | string;
  /** A folder of the host that is its shared memory; undefined: one of its own; `none`: none. */
  readonly shm: string | undefined;
  readonly shmBytes: number | undefined;
  readonly writableCgroups: boolean;
  readonly recursiveReadOnly: boolean;
  /** hosts, hostname and resolv.conf, by their places in the container. */
  readonly files: readonly { readonly source: string; readonly target: string }[];
  readonly mounts: readonly ResolvedMount[];
  readonly readOnlyRoot: boolean;
}

/**
 * All mounts of a container in the order in which they are made: the system's own, then the user's, outer ones first. A
 * user's mount replaces ours at the same place.
 */
export function ociMounts(context: MountContext): OciMount[] {
  const access = context.privileged ? 'rw' : 'ro';
  const ours: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [context.writableCgroups ? 'rw' : access, 'nosuid', 'noexec', 'nodev', 'relatime'],
    },
    // Mounted anew, it shows the queues of the namespace in which it is mounted, the host's too; the host itself need not have it mounted.
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    ...sharedMemory(context),
    ...context.files.map(({ source, target }) => bind(source, target, ['rbind', 'rprivate', context.readOnlyRoot ? 'ro' : 'rw'])),
  ];
  const users = context.mounts.map((mount) => userMount(mount, context.recursiveReadOnly)).sort((a, b) => depth(a.destination) - depth(b.destination));
  const taken = new Set(users.map((mount) => mount.destination));
  return [...ours.filter((mount) => !taken.has(mount.destination)), ...users];
}

function sharedMemory({ ipc, shm, shmBytes }: MountContext): OciMount[] {
  if (shm === 'none') return [];
  if (ipc === 'host') return [bind('/dev/shm', '/dev/shm', ['rbind', 'nosuid', 'noexec', 'nodev'])];
  if (shm !== undefined) return [bind(shm, '/dev/shm', ['bind', 'rprivate', 'nosuid', 'noexec', 'nodev'])];
  return [
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmBytes ?? DEFAULT_SHM_BYTES}`],
    },
  ];
}

/** Options of tmpfs that take the place of a default. */
const OPPOSITES: Readonly<Record<string, string>> = { exec: 'noexec', suid: 'nosuid', dev: 'nodev' };

function userMount(mount: ResolvedMount, recursiveReadOnly: boolean): OciMount {
  const destination = clean(mount.target);
  if (mount.type === 'tmpfs') {
    const own = mount.options ?? [];
    const replaced = new Set(own.map((option) => OPPOSITES[option]));
    const options = ['nosuid', 'nodev', 'noexec'].filter((option) => !replaced.has(option) && !own.includes(option));
    options.push(mount.readOnly === true ? 'ro' : 'rw', ...own.filter((option) => !Object.hasOwn(OPPOSITES, option)));
    if (mount.sizeBytes !== undefined) options.push(`size=${mount.sizeBytes}`);
    if (mount.mode !== undefined) options.push(`mode=${mount.mode.toString(8)}`);
    return { destination, type: 'tmpfs', source: 'tmpfs', options };
  }
  return bind(mount.source, destination, [mount.recursion === 'none' ? 'bind' : 'rbind', mount.propagation ?? 'rprivate', ...access(mount, recursiveReadOnly)]);
}

function access(mount: Extract<ResolvedMount, { type: 'bind' }>, recursiveReadOnly: boolean): string[] {
  if (!mount.readOnly) return ['rw'];
  if (mount.recursion === 'readonly' && !recursiveReadOnly) {
    throw new LongshoreError('invalid', `the kernel can't make the mounts beneath ${mount.source} read-only`, {
      object: mount.target,
      remedy: 'Leave bind-recursive=readonly out, or use Linux 5.12 or later.',
    });
  }
  return recursiveReadOnly && mount.recursion !== 'none' && mount.recursion !== 'writable' ? ['ro', 'rro'] : ['ro'];
}

function bind(source: string, destination: string, options: readonly string[]): OciMount {
  return { destination, type: 'bind', source, options };
}

function depth(path: string): number {
  return path.split('/').length;
}

function clean(path: string): string {
  return path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
}

/** `linux.rootfsPropagation` that the mounts' propagation needs; undefined when none does. */
export function rootfsPropagation(mounts: readonly ResolvedMount[]): string | undefined {
  const all = mounts.map((mount) => (mount.type === 'bind' ? mount.propagation : undefined));
  if (all.some((propagation) => propagation === 'rshared' || propagation === 'shared')) return 'rshared';
  if (all.some((propagation) => propagation === 'rslave' || propagation === 'slave')) return 'rslave';
  return undefined;
}
