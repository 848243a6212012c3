import { MAX_SCORE, type Score } from '../score.ts';

function fraction(used: number, of: number): number {
  return of <= 0 ? 1 : Math.min(1, used / of);
}

/** The node with the greater free share of CPU and memory. */
export const leastAllocated: Score = {
  name: 'NodeResourcesFit',
  weight: 1,
  prepare(pod) {
    return (node) => {
      const cpu = fraction(node.nonZero.milliCpu + pod.nonZero.milliCpu, node.allocatable.milliCpu);
      const memory = fraction(node.nonZero.memory + pod.nonZero.memory, node.allocatable.memory);
      return MAX_SCORE * (1 - (cpu + memory) / 2);
    };
  },
};

/** The node on which the used shares of CPU and memory would differ least. */
export const balancedAllocation: Score = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  prepare(pod) {
    if (pod.requests.milliCpu === 0 && pod.requests.memory === 0) return undefined;
    return (node) => {
      const cpu = fraction(node.requested.milliCpu + pod.requests.milliCpu, node.allocatable.milliCpu);
      const memory = fraction(node.requested.memory + pod.requests.memory, node.allocatable.memory);
      return MAX_SCORE * (1 - Math.abs(cpu - memory) / 2);
    };
  },
};
