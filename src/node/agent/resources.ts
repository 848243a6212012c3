import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import { quantityToMilli, quantityToNumber } from '../../types/kubernetes/quantity.ts';
import type { LinuxContainerResources } from '../cri/cri.ts';

/** Guaranteed, Burstable or BestEffort, by requests and limits of CPU and memory alone. */
export function qosClass(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  let asks = false;
  let guaranteed = all.length > 0;
  for (const { resources } of all) {
    for (const name of ['cpu', 'memory']) {
      const limit = resources?.limits?.[name];
      const request = resources?.requests?.[name] ?? limit;
      if (isSet(limit) || isSet(request)) asks = true;
      if (!isSet(limit) || quantityToMilli(limit!) !== quantityToMilli(request!)) guaranteed = false;
    }
  }
  return guaranteed ? 'Guaranteed' : asks ? 'Burstable' : 'BestEffort';
}

function isSet(quantity: string | undefined): boolean {
  return quantity !== undefined && quantityToMilli(quantity) !== 0;
}

const CFS_PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;

/** CPU shares of a request: 1024 a CPU, at least 2 (cgroup v1's least). */
export function cpuShares(milliCpu: number): number {
  return milliCpu <= 0 ? 2 : Math.min(262_144, Math.max(2, Math.floor((milliCpu * 1024) / 1000)));
}

/** What the kernel is asked for, from requests and limits. */
export function linuxResources(pod: Pod, { resources }: Container, nodeMemoryBytes: number): LinuxContainerResources {
  const { limits, requests } = resources ?? {};
  const cpuLimit = limits?.cpu === undefined ? 0 : quantityToMilli(limits.cpu);
  const cpuRequest = requests?.cpu === undefined ? cpuLimit : quantityToMilli(requests.cpu);
  return {
    cpuShares: cpuShares(cpuRequest),
    cpuPeriod: cpuLimit > 0 ? CFS_PERIOD_US : 0,
    cpuQuota: cpuLimit > 0 ? Math.max(MIN_QUOTA_US, (cpuLimit * CFS_PERIOD_US) / 1000) : 0,
    memoryLimitInBytes: limits?.memory === undefined ? 0 : quantityToNumber(limits.memory),
    oomScoreAdj: oomScore(pod, requests?.memory === undefined ? 0 : quantityToNumber(requests.memory), nodeMemoryBytes),
  };
}

/** Who is killed first when the node runs out of memory: BestEffort, then Burstable by what they asked for less, Guaranteed last. */
function oomScore(pod: Pod, memoryRequest: number, nodeMemoryBytes: number): number {
  switch (qosClass(pod)) {
    case 'Guaranteed': return -997;
    case 'BestEffort': return 1000;
    default: return Math.min(999, Math.max(3, Math.floor(1000 - (1000 * memoryRequest) / nodeMemoryBytes)));
  }
}
