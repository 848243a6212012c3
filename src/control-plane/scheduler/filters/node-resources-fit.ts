import type { NodeInfo, PodInfo } from '../model.ts';
import type { Filter } from '../filter.ts';

/** What of the pod's requests the node lacks, as upstream words it; empty when it fits. */
export function lacking(pod: PodInfo, node: NodeInfo): string[] {
  const { requests } = pod;
  const { allocatable, requested } = node;
  const reasons: string[] = [];
  if (node.pods.size + 1 > allocatable.pods) reasons.push('Too many pods');
  if (requests.milliCpu > 0 && requests.milliCpu > allocatable.milliCpu - requested.milliCpu) reasons.push('Insufficient cpu');
  if (requests.memory > 0 && requests.memory > allocatable.memory - requested.memory) reasons.push('Insufficient memory');
  if (requests.ephemeralStorage > 0 && requests.ephemeralStorage > allocatable.ephemeralStorage - requested.ephemeralStorage) {
    reasons.push('Insufficient ephemeral-storage');
  }
  for (const [name, value] of requests.scalar ?? []) {
    if (value > 0 && value > (allocatable.scalar?.get(name) ?? 0) - (requested.scalar.get(name) ?? 0)) reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

/** Whether the pod would fit on the node if nothing else were there. */
function fitsEmpty(pod: PodInfo, node: NodeInfo): boolean {
  const { requests } = pod;
  const { allocatable } = node;
  return (
    requests.milliCpu <= allocatable.milliCpu &&
    requests.memory <= allocatable.memory &&
    requests.ephemeralStorage <= allocatable.ephemeralStorage &&
    allocatable.pods >= 1 &&
    [...(requests.scalar ?? [])].every(([name, value]) => value <= (allocatable.scalar?.get(name) ?? 0))
  );
}

function describe(pod: PodInfo, node: NodeInfo, reasons: readonly string[]): string {
  const { requests } = pod;
  const { allocatable, requested } = node;
  return reasons
    .map((reason) => {
      if (reason === 'Insufficient cpu') {
        return `Insufficient cpu: asks for ${requests.milliCpu}m, ${Math.max(0, allocatable.milliCpu - requested.milliCpu)}m of ${allocatable.milliCpu}m free`;
      }
      if (reason === 'Insufficient memory') {
        return `Insufficient memory: asks for ${mebi(requests.memory)}, ${mebi(Math.max(0, allocatable.memory - requested.memory))} of ${mebi(allocatable.memory)} free`;
      }
      if (reason === 'Too many pods') return `Too many pods: ${node.pods.size} of ${allocatable.pods} run`;
      return reason;
    })
    .join('; ');
}

function mebi(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)}Mi`;
}

/** Requests must fit into what the node has left. */
export const nodeResourcesFit: Filter = {
  name: 'NodeResourcesFit',
  prepare(pod) {
    return (node) => {
      const reasons = lacking(pod, node);
      return reasons.length === 0 ? undefined : { reasons, preemptable: fitsEmpty(pod, node), detail: describe(pod, node, reasons) };
    };
  },
};
