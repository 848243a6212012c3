import { portsClash } from '../../../types/kubernetes/host-ports.ts';
import { refuse, type Filter } from '../filter.ts';

const REFUSAL = refuse("node(s) didn't have free ports for the requested pod ports", true);

/** Two pods can't have one port of one host. */
export const nodePorts: Filter = {
  name: 'NodePorts',
  prepare(pod) {
    if (pod.hostPorts.length === 0) return undefined;
    return (node) => {
      for (const other of node.pods.values()) {
        for (const theirs of other.hostPorts) if (pod.hostPorts.some((ours) => portsClash(ours, theirs))) return REFUSAL;
      }
      return undefined;
    };
  },
};
