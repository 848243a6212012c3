import { availableParallelism } from 'node:os';
import type { CgroupLimits } from '../../containers/containers.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import type { HostConfig } from './config.ts';

const SMALLEST_MEMORY_BYTES = 6 * 1024 * 1024;

/** The cgroup limits that a HostConfig or (`isUpdate`) an update asks for; zero means none. @throws `invalid` */
export function limitsOf(host: HostConfig, isUpdate = false): CgroupLimits {
  const { Memory: memory = 0, MemorySwap: swap = 0, NanoCpus: nano = 0, CpuQuota: quota = 0, CpuPeriod: period = 0 } = host;
  if (memory !== 0 && memory < SMALLEST_MEMORY_BYTES) throw new LongshoreError('invalid', 'Minimum memory limit allowed is 6MB');
  if (swap > 0 && memory === 0 && !isUpdate) throw new LongshoreError('invalid', 'You should always set the Memory limit when using Memoryswap limit, see usage');
  if (swap > 0 && swap < memory) throw new LongshoreError('invalid', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  if (nano !== 0 && (quota !== 0 || period !== 0)) throw new LongshoreError('invalid', 'Conflicting options: Nano CPUs and CPU Period cannot both be set');
  const cpus = availableParallelism();
  if (nano < 0 || nano > cpus * 1e9) throw new LongshoreError('invalid', `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  if (period !== 0 && (period < 1000 || period > 1_000_000)) throw new LongshoreError('invalid', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (quota > 0 && quota < 1000) throw new LongshoreError('invalid', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  const pids = host.PidsLimit ?? 0;
  return {
    ...(memory > 0 ? { memoryBytes: memory } : {}),
    // As Docker: twice the memory, when nothing is said of swap.
    ...(swap > 0 ? { memorySwapBytes: swap } : memory > 0 && swap !== -1 && !isUpdate ? { memorySwapBytes: memory * 2 } : {}),
    ...(nano > 0 ? { nanoCpus: nano } : {}),
    ...((host.CpuShares ?? 0) > 0 ? { cpuShares: host.CpuShares! } : {}),
    ...(quota !== 0 ? { cpuQuota: quota } : {}),
    ...(period !== 0 ? { cpuPeriod: period } : {}),
    ...(host.CpusetCpus ? { cpusetCpus: host.CpusetCpus } : {}),
    ...(pids > 0 ? { pids } : {}),
  };
}

const OUR_LOGS = ['', 'json-file', 'local', 'none'];
const OTHER_LOGS = ['syslog', 'journald', 'gelf', 'fluentd', 'awslogs', 'splunk', 'etwlogs', 'gcplogs'];

type Refusal = readonly [test: (host: HostConfig) => boolean, what: string];

/** What would change what the container may do or sees, and is not built: refused, so that nobody relies on it. */
const REFUSED: readonly Refusal[] = [
  [(host) => (host.DeviceRequests?.length ?? 0) > 0, 'DeviceRequests (--gpus)'],
  [(host) => (host.DeviceCgroupRules?.length ?? 0) > 0, 'DeviceCgroupRules (--device-cgroup-rule)'],
  [(host) => Object.keys(host.StorageOpt ?? {}).length > 0, 'StorageOpt (--storage-opt)'],
  [(host) => !!host.UsernsMode && host.UsernsMode !== 'host', 'UsernsMode (--userns)'],
  [(host) => !!host.VolumeDriver && host.VolumeDriver !== 'local', 'VolumeDriver (--volume-driver)'],
  [(host) => !!host.CpuRealtimePeriod || !!host.CpuRealtimeRuntime, 'real-time CPU limits'],
  [(host) => OTHER_LOGS.includes(host.LogConfig?.Type ?? ''), 'log drivers other than json-file, local and none'],
  [(host) => !!host.Isolation && host.Isolation !== 'default', 'Isolation'],
];

/** What is a hint to the kernel only: left out, with a warning. */
const IGNORED: readonly Refusal[] = [
  [(host) => !!host.BlkioWeight || [host.BlkioWeightDevice, host.BlkioDeviceReadBps, host.BlkioDeviceWriteBps, host.BlkioDeviceReadIOps, host.BlkioDeviceWriteIOps].some((list) => (list?.length ?? 0) > 0), 'block I/O limits'],
  [(host) => host.OomKillDisable === true, 'OomKillDisable'],
  [(host) => typeof host.MemorySwappiness === 'number' && host.MemorySwappiness >= 0, 'MemorySwappiness'],
  [(host) => !!host.MemoryReservation, 'MemoryReservation'],
  [(host) => !!host.CpusetMems, 'CpusetMems'],
];

/** @throws `not-implemented`, naming the option */
export function refuseUnsupported(host: HostConfig, warnings: string[]): void {
  const log = host.LogConfig?.Type ?? '';
  if (!OUR_LOGS.includes(log) && !OTHER_LOGS.includes(log)) throw new LongshoreError('invalid', `error looking up logging plugin ${log}: plugin "${log}" not found`);
  for (const [test, what] of REFUSED) if (test(host)) throw new LongshoreError('not-implemented', `${what} is not built`, { remedy: 'Leave it out.' });
  for (const [test, what] of IGNORED) if (test(host)) warnings.push(`${what} discarded: not built`);
}
