import { refuse, type Filter } from '../filter.ts';
import { tolerates } from '../tolerations.ts';

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;
const REFUSAL = refuse('node(s) were unschedulable');

/** A cordoned node takes only pods that tolerate it. */
export const nodeUnschedulable: Filter = {
  name: 'NodeUnschedulable',
  prepare(pod) {
    if (pod.tolerations.some((toleration) => tolerates(toleration, TAINT))) return undefined;
    return (node) => (node.node.spec?.unschedulable ? REFUSAL : undefined);
  },
};
