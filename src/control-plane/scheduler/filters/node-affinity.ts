import { refuse, type Filter } from '../filter.ts';
import { matchesNodeSelector } from '../../../types/kubernetes/node-selector.ts';

const REFUSAL = refuse("node(s) didn't match Pod's node affinity/selector");

/** spec.nodeSelector and the required part of node affinity; both must hold. */
export const nodeAffinity: Filter = {
  name: 'NodeAffinity',
  prepare(pod) {
    const required = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    const labels = pod.nodeSelector && Object.entries(pod.nodeSelector);
    if (!required && !labels?.length) return undefined;
    return (node) => {
      if (labels && !labels.every(([key, value]) => node.labels[key] === value)) return REFUSAL;
      return required && !matchesNodeSelector(required, node) ? REFUSAL : undefined;
    };
  },
};
