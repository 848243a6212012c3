import type { CgroupLimits } from '../host.ts';

/** The period of the CPU quota when nobody says another, in microseconds. */
export const DEFAULT_PERIOD_US = 100_000;

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

/** Memory and swap together, in bytes, -1 without limit; undefined to leave it alone. Without a word about swap there is as much swap as memory, as Docker has it. */
export function memoryAndSwap(limits: CgroupLimits): number | undefined {
  if (limits.memorySwapBytes !== undefined && limits.memorySwapBytes !== 0) return limits.memorySwapBytes;
  return limits.memoryBytes !== undefined && limits.memoryBytes > 0 ? limits.memoryBytes * 2 : undefined;
}

/** `linux.resources` of the OCI runtime specification (config-linux.md), less what this machine can't do. */
export function ociResources(limits: CgroupLimits, canLimitSwap: boolean): Record<string, unknown> {
  const resources: Record<string, unknown> = {};
  const memory: Record<string, number> = {};
  if (limits.memoryBytes !== undefined && limits.memoryBytes > 0) memory['limit'] = limits.memoryBytes;
  const swap = memoryAndSwap(limits);
  if (swap !== undefined && canLimitSwap) memory['swap'] = swap;
  if (Object.keys(memory).length > 0) resources['memory'] = memory;
  const cpu: Record<string, number | string> = {};
  if (limits.cpuShares !== undefined && limits.cpuShares > 0) cpu['shares'] = limits.cpuShares;
  const quota = cpuQuota(limits);
  if (quota) {
    cpu['period'] = quota.period;
    if (quota.quota !== undefined) cpu['quota'] = quota.quota;
  }
  if (limits.cpusetCpus) cpu['cpus'] = limits.cpusetCpus;
  if (Object.keys(cpu).length > 0) resources['cpu'] = cpu;
  if (limits.pids !== undefined && limits.pids > 0) resources['pids'] = { limit: limits.pids };
  return resources;
}

/** cpu.shares (2 to 262144) as cpu.weight (1 to 10000), by the formula that the OCI runtimes agreed on. */
export function weightOfShares(shares: number): number {
  const clamped = Math.min(Math.max(shares, 2), 262_144);
  return Math.floor(1 + ((clamped - 2) * 9999) / 262_142);
}
