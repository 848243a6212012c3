import type { Filter } from '../filter.ts';
import { firstUntolerated } from '../tolerations.ts';

const REASONS = ['node(s) had untolerated taint(s)'];
const REPELS = (effect: string): boolean => effect === 'NoSchedule' || effect === 'NoExecute';

/** Taints repel pods that do not tolerate them. */
export const taintToleration: Filter = {
  name: 'TaintToleration',
  prepare(pod) {
    return (node) => {
      if (node.taints.length === 0) return undefined;
      const taint = firstUntolerated(node.taints, pod.tolerations, REPELS);
      return (
        taint && {
          reasons: REASONS,
          preemptable: false,
          detail: `taint ${taint.key ?? ''}${taint.value ? `=${taint.value}` : ''}:${taint.effect ?? ''} is not tolerated`,
        }
      );
    };
  },
};
