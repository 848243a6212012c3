import type { HostPort } from '../model.ts';
import { refuse, type Filter } from '../filter.ts';

const REFUSAL = refuse("node(s) didn't have free ports for the requested pod ports", true);

function clash(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');
}

/** Two pods can't have one port of one host. */
export const nodePorts: Filter = {
  name: 'NodePorts',
  prepare(pod) {
    if (pod.hostPorts.length === 0) return undefined;
    return (node) => {
      for (const other of node.pods.values()) {
        for (const theirs of other.hostPorts) if (pod.hostPorts.some((ours) => clash(ours, theirs))) return REFUSAL;
      }
      return undefined;
    };
  },
};
