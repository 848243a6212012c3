import type { BlockIoLimits, CgroupLimits } from '../host.ts';

/** The period of the CPU quota when nobody says another, in microseconds. */
const DEFAULT_PERIOD_US = 100_000;

export interface CpuQuota {
  /** Microseconds of CPU time a period; undefined is no limit. */
  readonly quota: number | undefined;
  readonly period: number;
}

/** The quota that limits ask for: `nanoCpus` (docker --cpus) or quota and period themselves. */
export function cpuQuota(limits: CgroupLimits): CpuQuota | undefined {
  if (limits.nanoCpus !== undefined && limits.nanoCpus > 0) {
    // The kernel takes no quota below a millisecond.
    return { quota: Math.max(1000, Math.round((limits.nanoCpus / 1e9) * DEFAULT_PERIOD_US)), period: DEFAULT_PERIOD_US };
  }
  if (limits.cpuQuota === undefined && limits.cpuPeriod === undefined) return undefined;
  const quota = limits.cpuQuota !== undefined && limits.cpuQuota > 0 ? limits.cpuQuota : undefined;
  return { quota, period: limits.cpuPeriod === undefined || limits.cpuPeriod === 0 ? DEFAULT_PERIOD_US : limits.cpuPeriod };
}

/**
 * Memory and swap together, in bytes, -1 without limit; undefined to leave it alone. Without a word about swap there is
 * as much swap as memory, as Docker has it.
 */
export function memoryAndSwap(limits: CgroupLimits): number | undefined {
  if (limits.memorySwapBytes !== undefined && limits.memorySwapBytes !== 0) return limits.memorySwapBytes;
  return limits.memoryBytes !== undefined && limits.memoryBytes > 0 ? limits.memoryBytes * 2 : undefined;
}

/** `linux.resources` of the OCI runtime specification (config-linux.md), less what this machine can't do. */
export function ociResources(limits: CgroupLimits, canLimitSwap: boolean, version: 1 | 2): Record<string, unknown> {
  const resources: Record<string, unknown> = {};
  const memory: Record<string, number | boolean> = {};
  if (limits.memoryBytes !== undefined && limits.memoryBytes > 0) memory['limit'] = limits.memoryBytes;
  const swap = memoryAndSwap(limits);
  if (swap !== undefined && canLimitSwap) memory['swap'] = swap;
  if (limits.memoryReservationBytes !== undefined && limits.memoryReservationBytes > 0) {
    memory['reservation'] = limits.memoryReservationBytes;
  }
  if (version === 1 && limits.memorySwappiness !== undefined) memory['swappiness'] = limits.memorySwappiness;
  if (version === 1 && limits.oomKillDisable === true) memory['disableOOMKiller'] = true;
  if (Object.keys(memory).length > 0) resources['memory'] = memory;
  const cpu: Record<string, number | string> = {};
  if (limits.cpuShares !== undefined && limits.cpuShares > 0) cpu['shares'] = limits.cpuShares;
  const quota = cpuQuota(limits);
  if (quota) {
    cpu['period'] = quota.period;
    if (quota.quota !== undefined) cpu['quota'] = quota.quota;
  }
  if (limits.cpusetCpus) cpu['cpus'] = limits.cpusetCpus;
  if (limits.cpusetMems) cpu['mems'] = limits.cpusetMems;
  if (Object.keys(cpu).length > 0) resources['cpu'] = cpu;
  if (limits.pids !== undefined && limits.pids > 0) resources['pids'] = { limit: limits.pids };
  if (limits.blockIo !== undefined) resources['blockIO'] = ociBlockIo(limits.blockIo);
  return resources;
}

function ociBlockIo(limits: BlockIoLimits): Record<string, unknown> {
  const weights = limits.weightDevices?.map(({ major, minor, rate }) => ({ major, minor, weight: rate }));
  const rates = Object.entries({
    throttleReadBpsDevice: limits.readBps,
    throttleWriteBpsDevice: limits.writeBps,
    throttleReadIOPSDevice: limits.readIops,
    throttleWriteIOPSDevice: limits.writeIops,
  });
  return {
    ...(limits.weight === undefined ? {} : { weight: limits.weight }),
    ...(weights === undefined || weights.length === 0 ? {} : { weightDevice: weights }),
    ...Object.fromEntries(rates.filter(([, list]) => list !== undefined && list.length > 0)),
  };
}

/** The weight of version 1 (10 to 1000) in io.weight's 1 to 10000. */
export function ioWeight(weight: number): number {
  return Math.floor(1 + ((Math.min(Math.max(weight, 10), 1000) - 10) * 9999) / 990);
}

/** cpu.shares (2 to 262144) as cpu.weight (1 to 10000), by the formula that the OCI runtimes agreed on. */
export function weightOfShares(shares: number): number {
  const clamped = Math.min(Math.max(shares, 2), 262_144);
  return Math.floor(1 + ((clamped - 2) * 9999) / 262_142);
}
