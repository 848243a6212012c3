import { refuse, type Filter, type NodeCheck } from '../filter.ts';
import { matchesNodeSelector } from '../../../types/kubernetes/node-selector.ts';

const CONFLICT = refuse("node(s) didn't match PersistentVolume's node affinity");

/** Claims of the pod: they must exist, be bound or wait for a node, and their volumes be reachable from it. */
export const volumeBinding: Filter = {
  name: 'VolumeBinding',
  prepare(pod, context): NodeCheck | undefined {
    const checks: NodeCheck[] = [];
    for (const volume of pod.pod.spec?.volumes ?? []) {
      const name = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod.pod.metadata?.name ?? ''}-${volume.name}` : undefined);
      if (name === undefined) continue;
      const claim = context.volumes.claim(pod.namespace, name);
      if (claim.state === 'missing') {
        const refusal = refuse(`persistentvolumeclaim "${name}" not found`);
        return () => refusal;
      }
      if (claim.state === 'unbound') {
        const refusal = refuse('pod has unbound immediate PersistentVolumeClaims');
        return () => refusal;
      }
      if (claim.state === 'bound' && claim.affinity) {
        const { affinity } = claim;
        checks.push((node) => (matchesNodeSelector(affinity, node) ? undefined : CONFLICT));
      } else if (claim.state === 'waits-for-node' && claim.selectedNode !== undefined) {
        const { selectedNode } = claim;
        checks.push((node) => (node.name === selectedNode ? undefined : CONFLICT));
      }
    }
    if (checks.length === 0) return undefined;
    return (node) => {
      for (const check of checks) {
        const refusal = check(node);
        if (refusal) return refusal;
      }
      return undefined;
    };
  },
};
