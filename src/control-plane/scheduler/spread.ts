import type { TopologySpreadConstraint } from '../../types/kubernetes/generated/core-v1.ts';
import type { SchedulingContext } from './filter.ts';
import type { NodeInfo, PodInfo } from './model.ts';
import { matchesNodeSelector } from '../../types/kubernetes/node-selector.ts';
import { selectorMatcher } from './pod-terms.ts';
import { firstUntolerated } from './tolerations.ts';

/** How many matching pods run in each domain of a constraint's topology key. */
export interface SpreadCounts {
  readonly key: string;
  readonly maxSkew: number;
  /** Whether the pod itself would count. */
  readonly self: number;
  readonly byDomain: ReadonlyMap<string, number>;
  /** The fewest in any eligible domain; 0 while there are fewer domains than minDomains. */
  readonly least: number;
}

function eligible(constraint: TopologySpreadConstraint, pod: PodInfo, node: NodeInfo): boolean {
  if ((constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor') {
    if (pod.nodeSelector && !Object.entries(pod.nodeSelector).every(([key, value]) => node.labels[key] === value)) return false;
    const required = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required && !matchesNodeSelector(required, node)) return false;
  }
  return constraint.nodeTaintsPolicy !== 'Honor' || !firstUntolerated(node.taints, pod.tolerations, (effect) => effect !== 'PreferNoSchedule');
}

/** Counts the pods of a topologySpreadConstraint, domain by domain. */
export function countSpread(constraint: TopologySpreadConstraint, pod: PodInfo, context: SchedulingContext): SpreadCounts {
  const key = constraint.topologyKey ?? '';
  const matches = selectorMatcher(constraint.labelSelector, pod.labels, constraint.matchLabelKeys);
  const byDomain = new Map<string, number>();
  for (const node of context.snapshot.nodes) {
    const domain = node.labels[key];
    if (domain === undefined || !eligible(constraint, pod, node)) continue;
    let count = byDomain.get(domain) ?? 0;
    for (const other of node.pods.values()) {
      if (other.namespace === pod.namespace && !other.pod.metadata?.deletionTimestamp && matches(other.labels)) count++;
    }
    byDomain.set(domain, count);
  }
  const least = byDomain.size === 0 || byDomain.size < (constraint.minDomains ?? 1) ? 0 : Math.min(...byDomain.values());
  return { key, maxSkew: constraint.maxSkew ?? 1, self: matches(pod.labels) ? 1 : 0, byDomain, least };
}
