import { access, readFile } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { Cgroups } from '../host.ts';
import { readControl } from './files.ts';
import { CgroupsV1 } from './v1.ts';
import { CgroupsV2 } from './v2.ts';

/** What is mounted: every hierarchy of version 1 with its controllers, and that of version 2. */
export interface CgroupMounts {
  readonly controllers: ReadonlyMap<string, string>;
  readonly named: readonly string[];
  readonly unified: string | undefined;
}

const KNOWN = new Set([
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'net_cls',
  'net_prio',
  'perf_event',
  'hugetlb',
  'rdma',
  'misc',
]);

/** Reads /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export function cgroupMounts(mountinfo: string): CgroupMounts {
  const controllers = new Map<string, string>();
  const named: string[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [front, back] = line.split(' - ');
    const target = front?.split(' ')[4];
    const [type, , options] = back?.split(' ') ?? [];
    if (target === undefined || options === undefined) continue;
    if (type === 'cgroup2') unified ??= target;
    if (type !== 'cgroup') continue;
    const words = options.split(',');
    if (words.some((word) => word.startsWith('name='))) named.push(target);
    for (const word of words) if (KNOWN.has(word) && !controllers.has(word)) controllers.set(word, target);
  }
  return { controllers, named, unified };
}

/** Version 2 where the memory controller is there, else version 1. @throws `unavailable` when no tree has a memory controller */
export async function openCgroups(clock: Clock): Promise<Cgroups> {
  const mounts = cgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const memory = mounts.controllers.get('memory');
  if (memory !== undefined) {
    const others = mounts.unified === undefined ? mounts.named : [...mounts.named, mounts.unified];
    return new CgroupsV1(mounts.controllers, others, clock, await exists(`${memory}/memory.memsw.limit_in_bytes`));
  }
  if (mounts.unified !== undefined && (await readControl(`${mounts.unified}/cgroup.controllers`))?.split(' ').includes('memory')) {
    // The root has no such file; the swap controller is there unless the kernel was built or started without.
    return new CgroupsV2(mounts.unified, clock, await exists('/proc/swaps'));
  }
  throw new LongshoreError('unavailable', 'this machine has no cgroup tree with a memory controller', {
    remedy: 'Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup',
  });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
