import type { Node, Taint, Toleration } from '../../../types/kubernetes/generated/core-v1.ts';
import { conditionOf } from '../shared/conditions.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';
export const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
export const MEMORY_PRESSURE = 'node.kubernetes.io/memory-pressure';
export const DISK_PRESSURE = 'node.kubernetes.io/disk-pressure';
export const PID_PRESSURE = 'node.kubernetes.io/pid-pressure';
export const NETWORK_UNAVAILABLE = 'node.kubernetes.io/network-unavailable';

/** Which taint each state of each condition means. */
const NO_SCHEDULE: readonly (readonly [type: string, status: string, key: string])[] = [
  ['Ready', 'False', NOT_READY], ['Ready', 'Unknown', UNREACHABLE], ['MemoryPressure', 'True', MEMORY_PRESSURE],
  ['DiskPressure', 'True', DISK_PRESSURE], ['PIDPressure', 'True', PID_PRESSURE], ['NetworkUnavailable', 'True', NETWORK_UNAVAILABLE],
];
const OURS = new Set([...NO_SCHEDULE.map(([, , key]) => key), UNSCHEDULABLE]);

/** The key of the NoExecute taint that the node's readiness calls for; undefined when it is ready, or has not said. */
export function evictionTaint(node: Node): string | undefined {
  const status = conditionOf(node.status?.conditions, 'Ready')?.status;
  return status === 'False' ? NOT_READY : status === 'Unknown' ? UNREACHABLE : undefined;
}

export function hasTaint(node: Node, key: string, effect: string): boolean {
  return node.spec?.taints?.some((taint) => taint.key === key && taint.effect === effect) ?? false;
}

/**
 * The taints that the node should have: those of others as they are, NoSchedule
 * ones as its conditions say, and the NoExecute one that is asked for.
 * @param now time stamp for those that are new
 */
export function desiredTaints(node: Node, evict: string | undefined, now: string): Taint[] {
  const wanted: { key: string; effect: string }[] = [];
  for (const [type, status, key] of NO_SCHEDULE) {
    if (conditionOf(node.status?.conditions, type)?.status === status) {
      wanted.push({ key, effect: 'NoSchedule' });
    }
  }
  if (node.spec?.unschedulable) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  if (evict !== undefined) wanted.push({ key: evict, effect: 'NoExecute' });
  const present = node.spec?.taints ?? [];
  const isOurs = ({ key, effect }: Taint): boolean =>
    (effect === 'NoSchedule' && OURS.has(key)) || (effect === 'NoExecute' && (key === NOT_READY || key === UNREACHABLE));
  const isWanted = (taint: Taint): boolean => wanted.some(({ key, effect }) => taint.key === key && taint.effect === effect);
  const kept = present.filter((taint) => !isOurs(taint) || isWanted(taint));
  const added = wanted.filter(({ key, effect }) => !present.some((taint) => taint.key === key && taint.effect === effect));
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: now }))];
}

/** True when `toleration` lets a pod stay despite `taint`. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
}

/**
 * How long a pod may stay on a node with these NoExecute taints, in
 * milliseconds; 0: no longer; Infinity: for ever.
 */
export function toleratedForMs(taints: readonly Taint[], tolerations: readonly Toleration[] | undefined): number {
  let shortest = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    const used = tolerations?.find((toleration) => tolerates(toleration, taint));
    if (used === undefined) return 0;
    if (used.tolerationSeconds !== undefined) shortest = Math.min(shortest, Math.max(used.tolerationSeconds, 0) * 1000);
  }
  return shortest;
}
