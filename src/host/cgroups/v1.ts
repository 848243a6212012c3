import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { CgroupAbilities, CgroupLimits, Cgroups, CgroupUsage } from '../host.ts';
import { abilitiesV1 } from './abilities.ts';
import { movesAhead } from './ahead.ts';
import type { MovesAhead } from './ahead.ts';
import { makeFolder, pathParts, processesOf, readControl, readFields, readNumber, removeFolders, sendSignal, tree, writeControl } from './files.ts';
import { settleFreezer } from './freezer.ts';
import { cpuQuota, memoryAndSwap, ociResources } from './limits.ts';

/** Ticks of cpuacct.stat; USER_HZ is 100 on every architecture that we know. */
const NANOS_PER_TICK = 1e7;
/** The kernel writes a number near 2^63 for no limit. */
const NO_LIMIT = 2 ** 60;
const WAIT_MS = 10_000;

/**
 * Control groups, version 1: one tree a controller, all with the same path of ours.
 * In hybrid mode the version 2 tree holds processes too, but no controller; runc keeps a group there as well.
 */
export class CgroupsV1 implements Cgroups {
  readonly version = 1;
  /** Mount point by controller, as in `memory` → /sys/fs/cgroup/memory. */
  #controllers: ReadonlyMap<string, string>;
  /** Every hierarchy's mount point, without doubles; also `name=systemd` and the unified one. */
  #roots: readonly string[];
  #clock: Clock;
  #canLimitSwap: boolean;
  #ahead: MovesAhead;

  constructor(controllers: ReadonlyMap<string, string>, otherRoots: readonly string[], clock: Clock, canLimitSwap: boolean) {
    this.#controllers = controllers;
    this.#roots = [...new Set([...controllers.values(), ...otherRoots])];
    this.#clock = clock;
    this.#canLimitSwap = canLimitSwap;
    // The lock is the same for all hierarchies.
    const controller = controllers.has('freezer') ? 'freezer' : 'memory';
    this.#ahead = movesAhead(clock, controller, controllers.get(controller));
  }

  expectMove(): () => void {
    return this.#ahead.expect();
  }

  abilities(): Promise<CgroupAbilities> {
    return abilitiesV1(this.#controllers);
  }

  ociResources(limits: CgroupLimits): unknown {
    return ociResources(limits, this.#canLimitSwap, 1);
  }

  async create(path: string, limits: CgroupLimits = {}): Promise<void> {
    const parts = pathParts(path);
    await Promise.all(
      [...new Set(this.#controllers.values())].map(async (root) => {
        let folder = root;
        for (const part of parts) {
          const parent = folder;
          folder = `${folder}/${part}`;
          if ((await makeFolder(folder)) && root === this.#controllers.get('cpuset')) await inheritCpuset(parent, folder);
        }
      }),
    );
    await this.update(path, limits);
  }

  async update(path: string, limits: CgroupLimits): Promise<void> {
    const memory = this.#folder('memory', path);
    const wanted = limits.memoryBytes !== undefined && limits.memoryBytes !== 0 ? limits.memoryBytes : undefined;
    const swap = this.#canLimitSwap ? memoryAndSwap(limits) : undefined;
    // Memory must never be above memory and swap together, not even between the two writes.
    const old = swap === undefined ? undefined : await readNumber(`${memory}/memory.memsw.limit_in_bytes`);
    const writes: [string, number | undefined][] = [
      ['memory.memsw.limit_in_bytes', swap],
      ['memory.limit_in_bytes', wanted],
    ];
    if (swap !== undefined && swap !== -1 && swap < (old ?? 0)) writes.reverse();
    for (const [name, value] of writes) if (value !== undefined) await writeControl(`${memory}/${name}`, value);
    const cpu = this.#folder('cpu', path);
    if (limits.cpuShares !== undefined && limits.cpuShares > 0) await writeControl(`${cpu}/cpu.shares`, limits.cpuShares);
    const quota = cpuQuota(limits);
    if (quota) {
      await writeControl(`${cpu}/cpu.cfs_period_us`, quota.period);
      await writeControl(`${cpu}/cpu.cfs_quota_us`, quota.quota ?? -1);
    }
    if (limits.cpusetCpus) await writeControl(`${this.#folder('cpuset', path)}/cpuset.cpus`, limits.cpusetCpus);
    if (limits.cpusetMems) await writeControl(`${this.#folder('cpuset', path)}/cpuset.mems`, limits.cpusetMems);
    if (limits.memoryReservationBytes) await writeControl(`${memory}/memory.soft_limit_in_bytes`, limits.memoryReservationBytes);
    if (limits.blockIo?.weight) {
      // With the scheduler bfq the file has its name.
      const folder = this.#folder('blkio', path);
      const plain = (await readControl(`${folder}/blkio.weight`)) !== undefined;
      await writeControl(`${folder}/${plain ? 'blkio.weight' : 'blkio.bfq.weight'}`, limits.blockIo.weight);
    }
    if (limits.pids !== undefined && limits.pids !== 0) {
      await writeControl(`${this.#folder('pids', path)}/pids.max`, limits.pids > 0 ? limits.pids : 'max');
    }
  }

  async usage(path: string): Promise<CgroupUsage | undefined> {
    const memory = this.#folder('memory', path);
    const cpu = this.#folder('cpuacct', path);
    const pids = this.#folder('pids', path);
    const memoryBytes = await readNumber(`${memory}/memory.usage_in_bytes`);
    if (memoryBytes === undefined) return undefined;
    const [total, split, stat, limit, oom, current, max] = await Promise.all([
      readNumber(`${cpu}/cpuacct.usage`),
      readFields(`${cpu}/cpuacct.stat`),
      readFields(`${memory}/memory.stat`),
      readNumber(`${memory}/memory.limit_in_bytes`),
      readFields(`${memory}/memory.oom_control`),
      readNumber(`${pids}/pids.current`),
      readNumber(`${pids}/pids.max`),
    ]);
    return {
      cpuNanos: total ?? 0,
      cpuUserNanos: (split.get('user') ?? 0) * NANOS_PER_TICK,
      cpuSystemNanos: (split.get('system') ?? 0) * NANOS_PER_TICK,
      memoryBytes,
      memoryWorkingSetBytes: Math.max(0, memoryBytes - (stat.get('total_inactive_file') ?? 0)),
      memoryLimitBytes: limit === undefined || limit > NO_LIMIT ? undefined : limit,
      pids: current ?? 0,
      pidsLimit: max,
      oomKills: oom.get('oom_kill') ?? 0,
    };
  }

  async processes(path: string): Promise<number[]> {
    return processesOf(await tree(this.#folder('pids', path)));
  }

  async freeze(path: string, frozen: boolean): Promise<void> {
    const file = `${this.#folder('freezer', path)}/freezer.state`;
    const state = frozen ? 'FROZEN' : 'THAWED';
    const group = { read: () => readControl(file), write: (wanted: string) => writeControl(file, wanted) };
    if (await settleFreezer(group, state, this.#clock, WAIT_MS)) return;
    throw new LongshoreError('timeout', `the processes of ${path} can't be ${frozen ? 'frozen' : 'thawed'}`, { object: `cgroup ${path}` });
  }

  async remove(path: string): Promise<void> {
    const parts = pathParts(path).join('/');
    const end = this.#clock.monotonic() + WAIT_MS;
    for (let wait = 1; ; wait = Math.min(wait * 2, 100)) {
      const trees = (await Promise.all(this.#roots.map((root) => tree(`${root}/${parts}`)))).flat();
      if (trees.length === 0) return;
      const freezer = this.#controllers.get('freezer');
      for (const pid of new Set(await processesOf(trees))) sendSignal(pid, 'SIGKILL');
      // A frozen process dies when it is thawed.
      if (freezer !== undefined) {
        for (const folder of trees) {
          if (folder.startsWith(`${freezer}/`) && (await readControl(`${folder}/freezer.state`)) !== 'THAWED') {
            await thaw(folder);
          }
        }
      }
      if (await removeFolders(trees)) return;
      if (this.#clock.monotonic() > end) {
        throw new LongshoreError('timeout', `the processes of ${path} don't end`, {
          object: `cgroup ${path}`,
          remedy: 'Look for processes in state D (ps axo pid,stat,cmd).',
        });
      }
      await this.#clock.sleep(wait);
    }
  }

  #folder(controller: string, path: string): string {
    const root = this.#controllers.get(controller);
    if (root === undefined) {
      throw new LongshoreError('unavailable', `this machine has no cgroup controller ${controller}`, {
        object: `cgroup ${path}`,
        remedy: `Mount it: mount -t cgroup -o ${controller} cgroup /sys/fs/cgroup/${controller}`,
      });
    }
    return `${root}/${pathParts(path).join('/')}`;
  }
}

async function thaw(folder: string): Promise<void> {
  // Gone meanwhile is as good.
  if ((await readControl(`${folder}/freezer.state`)) !== undefined) await writeControl(`${folder}/freezer.state`, 'THAWED');
}

/** A new cpuset group is empty, and takes no process until it has CPUs and memory nodes. */
async function inheritCpuset(parent: string, folder: string): Promise<void> {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const value = await readControl(`${parent}/${name}`);
    if (value) await writeControl(`${folder}/${name}`, value);
  }
}
