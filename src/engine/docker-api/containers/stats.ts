import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { ServerResponse } from 'node:http';
import { isErrno } from '../../../lib/errors.ts';
import type { CgroupUsage, Container } from '../../containers/containers.ts';
import { write } from '../answers.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest } from '../request.ts';
import { NEVER, timeOf } from './inspect.ts';

const INTERVAL_MS = 1000;
/** /proc/stat counts in USER_HZ. */
const NANOS_PER_TICK = 1e7;

interface Sample {
  readonly timeMs: number;
  readonly usage: CgroupUsage | undefined;
  readonly systemNanos: number;
  readonly networks: Record<string, Record<string, number>> | undefined;
}

/** `GET /containers/{name}/stats`: every second, or (`stream=false`) once, after a second unless `one-shot`. */
export async function containerStats(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const container = deps.containers.get(request.params['name']!);
  const stream = request.flag('stream', true);
  response.writeHead(200, { 'Content-Type': 'application/json' });
  if (stream) response.flushHeaders();
  let previous: Sample | undefined;
  for (;;) {
    const sample = await take(deps, container.id);
    if (stream || previous !== undefined || request.flag('one-shot') || sample.usage === undefined) {
      await write(response, JSON.stringify(statsJson(deps.containers.get(container.id), sample, previous)) + '\n');
      if (!stream) break;
    }
    previous = sample;
    await deps.clock.sleep(INTERVAL_MS, request.signal);
  }
  response.end();
}

async function take(deps: Deps, id: string): Promise<Sample> {
  const { pid } = deps.containers.get(id);
  const [usage, systemNanos, networks] = await Promise.all([deps.containers.usage(id), systemTime(), pid === undefined ? undefined : interfaces(pid)]);
  return { timeMs: deps.clock.now(), usage, systemNanos, networks };
}

/** CPU time of the whole machine, idle time included. */
async function systemTime(): Promise<number> {
  const text = await readFile('/proc/stat', 'utf8');
  const fields = text.slice(0, text.indexOf('\n')).trim().split(/\s+/).slice(1, 8).map(Number);
  return fields.reduce((sum, ticks) => sum + ticks, 0) * NANOS_PER_TICK;
}

async function interfaces(pid: number): Promise<Record<string, Record<string, number>> | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/net/dev`, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EINVAL') || isErrno(error, 'ESRCH')) return undefined; // it ended meanwhile
    throw error;
  }
  const found: Record<string, Record<string, number>> = {};
  for (const line of text.split('\n').slice(2)) {
    const [name, counters] = line.split(':');
    if (counters === undefined || name!.trim() === 'lo') continue;
    const n = counters.trim().split(/\s+/).map(Number);
    found[name!.trim()] = {
      rx_bytes: n[0]!,
      rx_packets: n[1]!,
      rx_errors: n[2]!,
      rx_dropped: n[3]!,
      tx_bytes: n[8]!,
      tx_packets: n[9]!,
      tx_errors: n[10]!,
      tx_dropped: n[11]!,
    };
  }
  return found;
}

function statsJson(container: Container, sample: Sample, previous: Sample | undefined): Record<string, unknown> {
  const { usage } = sample;
  const inactive = usage === undefined ? 0 : Math.max(0, usage.memoryBytes - usage.memoryWorkingSetBytes);
  return {
    name: `/${container.name}`,
    id: container.id,
    os_type: 'linux',
    read: usage === undefined ? NEVER : timeOf(sample.timeMs),
    preread: previous === undefined ? NEVER : timeOf(previous.timeMs),
    pids_stats: usage === undefined ? {} : { current: usage.pids, ...(usage.pidsLimit === undefined ? {} : { limit: usage.pidsLimit }) },
    blkio_stats: {
      io_service_bytes_recursive: null,
      io_serviced_recursive: null,
      io_queue_recursive: null,
      io_service_time_recursive: null,
      io_wait_time_recursive: null,
      io_merged_recursive: null,
      io_time_recursive: null,
      sectors_recursive: null,
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpu(sample),
    precpu_stats:
      previous === undefined
        ? {
            cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
            throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
          }
        : cpu(previous),
    memory_stats:
      usage === undefined
        ? {}
        : {
            usage: usage.memoryBytes,
            // What the command line takes off: by its name in cgroup v2, and in v1.
            stats: { inactive_file: inactive, total_inactive_file: inactive },
            limit: usage.memoryLimitBytes ?? memoryOfMachine,
          },
    ...(sample.networks === undefined ? {} : { networks: sample.networks }),
  };
}

const memoryOfMachine = totalmem();

function cpu(sample: Sample): Record<string, unknown> {
  const { usage } = sample;
  return {
    cpu_usage: { total_usage: usage?.cpuNanos ?? 0, usage_in_kernelmode: usage?.cpuSystemNanos ?? 0, usage_in_usermode: usage?.cpuUserNanos ?? 0 },
    system_cpu_usage: sample.systemNanos,
    online_cpus: availableParallelism(),
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
}
