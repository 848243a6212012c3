import { availableParallelism } from 'node:os';
import type { CgroupAbilities, CgroupLimits, DeviceLimit } from '../../containers/containers.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { DeviceRate, HostConfig } from './config.ts';

const SMALLEST_MEMORY_BYTES = 6 * 1024 * 1024;

export interface LimitsContext {
  readonly abilities: CgroupAbilities;
  /** Gets a line for each limit that this machine's kernel doesn't know, and which is left out. */
  readonly warnings: string[];
  readonly isUpdate?: boolean;
}

/** The cgroup limits that a HostConfig or an update asks for; zero means none. @throws `invalid` */
export function limitsOf(host: HostConfig, context: LimitsContext): CgroupLimits {
  const { NanoCpus: nano = 0, CpuQuota: quota = 0, CpuPeriod: period = 0, CpuShares: shares = 0 } = host;
  if (nano !== 0 && period !== 0) throw new LongshoreError('invalid', 'Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (nano !== 0 && quota !== 0) throw new LongshoreError('invalid', 'Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  const cpus = availableParallelism();
  if (nano < 0 || nano > cpus * 1e9) {
    throw new LongshoreError('invalid', `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (shares < 0) throw new LongshoreError('invalid', `invalid CPU shares (${shares}): value must be a positive integer`);
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw new LongshoreError('invalid', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (quota > 0 && quota < 1000) throw new LongshoreError('invalid', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if ((host.CpuPercent ?? 0) > 0) context.warnings.push('linux does not support CPU percent. Percent discarded.');
  return {
    ...memoryLimits(host, context),
    ...(nano > 0 ? { nanoCpus: nano } : {}),
    ...(shares > 0 ? { cpuShares: shares } : {}),
    ...(quota !== 0 ? { cpuQuota: quota } : {}),
    ...(period !== 0 ? { cpuPeriod: period } : {}),
    ...cpuset(host, context),
    ...pids(host, context),
    ...blockIo(host, context),
  };
}

/** Fields of a HostConfig by what came of them: what was discarded is not told as if it held. */
export function keptLimits(host: HostConfig, limits: CgroupLimits, devices: readonly DeviceLimit[]): HostConfig {
  const kept = ({ field, limit }: (typeof PER_DEVICE)[number]): DeviceRate[] | null =>
    (host[field]?.length ?? 0) > 0 && !devices.some((each) => each.limit === limit) ? [] : (host[field] ?? null);
  return {
    ...Object.fromEntries(PER_DEVICE.map((each) => [each.field, kept(each)])),
    MemorySwappiness: limits.memorySwappiness ?? null,
    OomKillDisable: host.OomKillDisable === true ? (limits.oomKillDisable ?? null) : (host.OomKillDisable ?? null),
    CpuPercent: 0,
  };
}

function memoryLimits(host: HostConfig, { abilities, warnings, isUpdate }: LimitsContext): CgroupLimits {
  const { Memory: memory = 0, MemorySwap: swap = 0, MemoryReservation: reservation = 0 } = host;
  if (memory !== 0 && memory < SMALLEST_MEMORY_BYTES) throw new LongshoreError('invalid', 'Minimum memory limit allowed is 6MB');
  if (swap > 0 && memory === 0 && isUpdate !== true) {
    throw new LongshoreError('invalid', 'You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (swap > 0 && swap < memory) {
    throw new LongshoreError('invalid', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (reservation > 0 && reservation < SMALLEST_MEMORY_BYTES) {
    throw new LongshoreError('invalid', 'Minimum memory reservation allowed is 6MB');
  }
  if (memory > 0 && reservation > memory) {
    throw new LongshoreError('invalid', 'Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  const swappiness = host.MemorySwappiness ?? -1; // which is what the command line says for nothing
  if (swappiness < -1 || swappiness > 100) {
    throw new LongshoreError('invalid', `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  const able = (wanted: boolean, can: boolean, warning: string): boolean => {
    if (wanted && !can) warnings.push(warning);
    return wanted && can;
  };
  const swappable =
    memory <= 0 ||
    swap === -1 ||
    able(
      true,
      abilities.swap,
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    );
  const reserved = able(
    reservation > 0,
    abilities.memoryReservation,
    'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
  );
  const swappy = able(
    swappiness >= 0,
    abilities.memorySwappiness,
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
  );
  const spared = able(
    host.OomKillDisable === true,
    abilities.oomKillDisable,
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  );
  if (spared && memory === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  return {
    ...(memory > 0 ? { memoryBytes: memory } : {}),
    // As Docker: twice the memory, when nothing is said of swap.
    ...(!swappable
      ? {}
      : swap > 0 || (swap === -1 && isUpdate === true)
        ? { memorySwapBytes: swap }
        : memory > 0 && swap !== -1 && isUpdate !== true
          ? { memorySwapBytes: memory * 2 }
          : {}),
    ...(reserved ? { memoryReservationBytes: reservation } : {}),
    ...(swappy && isUpdate !== true ? { memorySwappiness: swappiness } : {}),
    ...(spared && isUpdate !== true ? { oomKillDisable: true } : {}),
  };
}

function cpuset({ CpusetCpus: cpus = '', CpusetMems: nodes = '' }: HostConfig, { abilities, warnings }: LimitsContext): CgroupLimits {
  if (cpus === '' && nodes === '') return {};
  if (abilities.cpus === undefined || abilities.memoryNodes === undefined) {
    warnings.push('Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.');
    return {};
  }
  if (!isWithin('cpuset cpus', cpus, abilities.cpus)) {
    throw new LongshoreError('invalid', `Requested CPUs are not available - requested ${cpus}, available: ${abilities.cpus}`);
  }
  if (!isWithin('cpuset mems', nodes, abilities.memoryNodes)) {
    throw new LongshoreError(
      'invalid',
      `Requested memory nodes are not available - requested ${nodes}, available: ${abilities.memoryNodes}`,
    );
  }
  return { ...(cpus === '' ? {} : { cpusetCpus: cpus }), ...(nodes === '' ? {} : { cpusetMems: nodes }) };
}

/** @throws `invalid` for what is no list of numbers and ranges */
function isWithin(what: string, wanted: string, available: string): boolean {
  const there = ranges(what, available);
  return ranges(what, wanted).every(([first, last]) => there.some(([from, to]) => first >= from && last <= to));
}

/** `0-3,8` of cpuset(7). */
function ranges(what: string, list: string): readonly (readonly [first: number, last: number])[] {
  if (list === '') return [];
  return list.split(',').map((part) => {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    const [first, last] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
    if (found === null || last < first) {
      throw new LongshoreError('invalid', `Invalid value ${list} for ${what}: invalid format: ${part}`, {
        remedy: 'Write numbers and ranges, as in 0-2,7.',
      });
    }
    return [first, last];
  });
}

/** Zero and less stand for no limit: at a creation that is nothing to say, at an update it takes one away. */
function pids({ PidsLimit: limit }: HostConfig, { isUpdate }: LimitsContext): CgroupLimits {
  if (limit === null || limit === undefined) return {};
  if (limit > 0) return { pids: limit };
  return isUpdate === true ? { pids: -1 } : {};
}

function blockIo(host: HostConfig, { abilities, warnings }: LimitsContext): CgroupLimits {
  const weight = host.BlkioWeight ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000)) throw new LongshoreError('invalid', 'Range of blkio weight is from 10 to 1000');
  if (weight === 0) return {};
  if (abilities.blockIoWeight) return { blockIo: { weight } };
  warnings.push('Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.');
  return {};
}

/** Limits of single block devices, which the start looks for. As with Docker, no update changes them. @throws `invalid` */
export function deviceLimitsOf(host: HostConfig, { abilities, warnings }: LimitsContext): readonly DeviceLimit[] {
  return PER_DEVICE.flatMap(({ field, flag, limit, ability, discarded }) => {
    const wanted = host[field] ?? [];
    if (wanted.length === 0) return [];
    if (abilities[ability]) return wanted.map((each) => onDevice(flag, each, limit));
    warnings.push(discarded);
    return [];
  });
}

/** The warnings are Docker's own; what they call write and read is told apart by them alone. */
const PER_DEVICE = [
  {
    field: 'BlkioWeightDevice',
    flag: '--blkio-weight-device',
    limit: 'weightDevices',
    ability: 'blockIoWeightDevices',
    discarded: 'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
  },
  {
    field: 'BlkioDeviceReadBps',
    flag: '--device-read-bps',
    limit: 'readBps',
    ability: 'blockIoRates',
    discarded: 'Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.',
  },
  {
    field: 'BlkioDeviceWriteBps',
    flag: '--device-write-bps',
    limit: 'writeBps',
    ability: 'blockIoRates',
    discarded: 'Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. Block I/O BPS write limit discarded.',
  },
  {
    field: 'BlkioDeviceReadIOps',
    flag: '--device-read-iops',
    limit: 'readIops',
    ability: 'blockIoRates',
    discarded: 'Your kernel does not support IOPS Block read limit or the cgroup is not mounted. Block I/O IOPS read limit discarded.',
  },
  {
    field: 'BlkioDeviceWriteIOps',
    flag: '--device-write-iops',
    limit: 'writeIops',
    ability: 'blockIoRates',
    discarded: 'Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded.',
  },
] as const;

/** @throws `invalid` */
function onDevice(flag: string, { Path: path, Rate: rate, Weight: weight }: DeviceRate, limit: DeviceLimit['limit']): DeviceLimit {
  const value = limit === 'weightDevices' ? weight : rate;
  if (typeof path !== 'string' || !path.startsWith('/') || typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new LongshoreError('invalid', `invalid ${flag}: a path and a whole number are wanted`, { object: String(path) });
  }
  if (limit === 'weightDevices' && (value < 10 || value > 1000)) {
    throw new LongshoreError('invalid', `invalid ${flag} of ${path}: the weight is from 10 to 1000`, { object: path });
  }
  return { limit, path, rate: value };
}
