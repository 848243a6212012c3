import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { CgroupAbilities, CgroupLimits, Cgroups, CgroupUsage } from '../host.ts';
import { abilitiesV2 } from './abilities.ts';
import { movesAhead } from './ahead.ts';
import type { MovesAhead } from './ahead.ts';
import { makeFolder, pathParts, processesOf, readControl, readFields, readNumber, removeFolders, sendSignal, tree, writeControl } from './files.ts';
import { cpuQuota, ioWeight, memoryAndSwap, ociResources, weightOfShares } from './limits.ts';

const WANTED = ['cpu', 'cpuset', 'io', 'memory', 'pids'];
const WAIT_MS = 10_000;

/** Control groups, version 2 (Documentation/admin-guide/cgroup-v2.rst): one tree. */
export class CgroupsV2 implements Cgroups {
  readonly version = 2;
  #root: string;
  #clock: Clock;
  #canLimitSwap: boolean;
  #ahead: MovesAhead;

  constructor(root: string, clock: Clock, canLimitSwap: boolean) {
    this.#root = root;
    this.#clock = clock;
    this.#canLimitSwap = canLimitSwap;
    this.#ahead = movesAhead(clock, '', root);
  }

  expectMove(): () => void {
    return this.#ahead.expect();
  }

  abilities(): Promise<CgroupAbilities> {
    return abilitiesV2(this.#root, this.#canLimitSwap);
  }

  ociResources(limits: CgroupLimits): unknown {
    return ociResources(limits, this.#canLimitSwap, 2);
  }

  async create(path: string, limits: CgroupLimits = {}): Promise<void> {
    let folder = this.#root;
    for (const part of pathParts(path)) {
      await this.#delegate(folder);
      folder = `${folder}/${part}`;
      await makeFolder(folder);
    }
    await this.update(path, limits);
  }

  async update(path: string, limits: CgroupLimits): Promise<void> {
    const folder = this.#folder(path);
    if (limits.memoryBytes !== undefined && limits.memoryBytes !== 0) {
      await writeControl(`${folder}/memory.max`, limits.memoryBytes > 0 ? limits.memoryBytes : 'max');
    }
    const both = this.#canLimitSwap ? memoryAndSwap(limits) : undefined;
    // Here swap is counted by itself, in the API together with memory.
    if (both !== undefined) {
      await writeControl(`${folder}/memory.swap.max`, both === -1 ? 'max' : Math.max(0, both - Math.max(0, limits.memoryBytes ?? 0)));
    }
    if (limits.cpuShares !== undefined && limits.cpuShares > 0) {
      await writeControl(`${folder}/cpu.weight`, weightOfShares(limits.cpuShares));
    }
    const quota = cpuQuota(limits);
    if (quota) await writeControl(`${folder}/cpu.max`, `${quota.quota ?? 'max'} ${quota.period}`);
    if (limits.cpusetCpus) await writeControl(`${folder}/cpuset.cpus`, limits.cpusetCpus);
    if (limits.cpusetMems) await writeControl(`${folder}/cpuset.mems`, limits.cpusetMems);
    if (limits.memoryReservationBytes) await writeControl(`${folder}/memory.low`, limits.memoryReservationBytes);
    if (limits.blockIo?.weight) {
      const bfq = (await readControl(`${folder}/io.bfq.weight`)) !== undefined;
      await writeControl(`${folder}/${bfq ? 'io.bfq.weight' : 'io.weight'}`, bfq ? limits.blockIo.weight : ioWeight(limits.blockIo.weight));
    }
    if (limits.pids !== undefined && limits.pids !== 0) await writeControl(`${folder}/pids.max`, limits.pids > 0 ? limits.pids : 'max');
  }

  async usage(path: string): Promise<CgroupUsage | undefined> {
    const folder = this.#folder(path);
    if ((await readControl(`${folder}/cgroup.procs`)) === undefined) return undefined;
    const [cpu, memory, stat, limit, events, current, max] = await Promise.all([
      readFields(`${folder}/cpu.stat`),
      readNumber(`${folder}/memory.current`),
      readFields(`${folder}/memory.stat`),
      readNumber(`${folder}/memory.max`),
      readFields(`${folder}/memory.events`),
      readNumber(`${folder}/pids.current`),
      readNumber(`${folder}/pids.max`),
    ]);
    return {
      cpuNanos: (cpu.get('usage_usec') ?? 0) * 1000,
      cpuUserNanos: (cpu.get('user_usec') ?? 0) * 1000,
      cpuSystemNanos: (cpu.get('system_usec') ?? 0) * 1000,
      memoryBytes: memory ?? 0,
      memoryWorkingSetBytes: Math.max(0, (memory ?? 0) - (stat.get('inactive_file') ?? 0)),
      memoryLimitBytes: limit,
      pids: current ?? 0,
      pidsLimit: max,
      oomKills: events.get('oom_kill') ?? 0,
    };
  }

  async processes(path: string): Promise<number[]> {
    return processesOf(await tree(this.#folder(path)));
  }

  async freeze(path: string, frozen: boolean): Promise<void> {
    const folder = this.#folder(path);
    const end = this.#clock.monotonic() + WAIT_MS;
    await writeControl(`${folder}/cgroup.freeze`, frozen ? 1 : 0);
    for (let wait = 1; (await readFields(`${folder}/cgroup.events`)).get('frozen') !== (frozen ? 1 : 0); wait = Math.min(wait * 2, 50)) {
      if (this.#clock.monotonic() > end) {
        if (frozen) await writeControl(`${folder}/cgroup.freeze`, 0);
        throw new LongshoreError('timeout', `the processes of ${path} can't be ${frozen ? 'frozen' : 'thawed'}`, { object: `cgroup ${path}` });
      }
      await this.#clock.sleep(wait);
    }
  }

  async remove(path: string): Promise<void> {
    const folder = this.#folder(path);
    const end = this.#clock.monotonic() + WAIT_MS;
    for (let wait = 1; ; wait = Math.min(wait * 2, 100)) {
      const folders = await tree(folder);
      if (folders.length === 0) return;
      // cgroup.kill (Linux 5.14) spares nobody who forks meanwhile; it kills frozen ones too.
      if ((await readControl(`${folder}/cgroup.events`))?.includes('populated 1')) await this.#kill(folder, folders);
      if (await removeFolders(folders)) return;
      if (this.#clock.monotonic() > end) {
        throw new LongshoreError('timeout', `the processes of ${path} don't end`, {
          object: `cgroup ${path}`,
          remedy: 'Look for processes in state D (ps axo pid,stat,cmd).',
        });
      }
      await this.#clock.sleep(wait);
    }
  }

  async #kill(folder: string, folders: readonly string[]): Promise<void> {
    try {
      await writeControl(`${folder}/cgroup.kill`, 1);
    } catch (error) {
      if (!(error instanceof LongshoreError) || error.code !== 'not-found') throw error;
      for (const pid of await processesOf(folders)) sendSignal(pid, 'SIGKILL');
    }
  }

  /** Hands the controllers that there are down to a group's children. */
  async #delegate(folder: string): Promise<void> {
    const [available, enabled] = await Promise.all([readControl(`${folder}/cgroup.controllers`), readControl(`${folder}/cgroup.subtree_control`)]);
    const has = new Set((enabled ?? '').split(' '));
    const missing = (available ?? '').split(' ').filter((name) => WANTED.includes(name) && !has.has(name));
    if (missing.length > 0) await writeControl(`${folder}/cgroup.subtree_control`, missing.map((name) => `+${name}`).join(' '));
  }

  #folder(path: string): string {
    return `${this.#root}/${pathParts(path).join('/')}`;
  }
}
