import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { isReady, readySince } from '../shared/pods.ts';

const PHASE_RANK: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * The `count` pods to delete first when there are too many, in the order that
 * Kubernetes documents: without a node, pending, not ready, low deletion
 * cost, doubled up on a node, ready or made more recently, often restarted.
 * @param related all ready pods that count as neighbours: those of this ReplicaSet and of its siblings
 */
export function podsToDelete(candidates: readonly Pod[], related: Iterable<Pod>, count: number, nowMs: number): Pod[] {
  if (count >= candidates.length) return [...candidates];
  const neighbours = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec?.nodeName;
    if (node && isReady(pod)) neighbours.set(node, (neighbours.get(node) ?? 0) + 1);
  }
  const ranked = candidates.map((pod) => rank(pod, neighbours, nowMs));
  ranked.sort((a, b) => compare(a, b));
  return ranked.slice(0, count).map(({ pod }) => pod);
}

interface Ranked {
  readonly pod: Pod;
  /** Compared one after the other; the smaller one goes first. */
  readonly order: readonly number[];
  readonly uid: string;
}

function rank(pod: Pod, neighbours: ReadonlyMap<string, number>, nowMs: number): Ranked {
  const ready = isReady(pod);
  const node = pod.spec?.nodeName;
  const since = readySince(pod);
  const created = pod.metadata?.creationTimestamp ? Date.parse(pod.metadata.creationTimestamp) : undefined;
  return {
    pod,
    uid: pod.metadata?.uid ?? '',
    order: [
      node ? 1 : 0,
      PHASE_RANK[pod.status?.phase ?? 'Pending'] ?? 0,
      ready ? 1 : 0,
      deletionCost(pod),
      -(node ? (neighbours.get(node) ?? 0) : 0),
      ready ? age(since, nowMs) : 0,
      -restarts(pod),
      age(created, nowMs),
    ],
  };
}

/** Ages are compared by magnitude, so that among pods of much the same age it is by chance: KEP-2185. An unknown age counts as none. */
function age(sinceMs: number | undefined, nowMs: number): number {
  if (sinceMs === undefined) return -1;
  return Math.floor(Math.log2(Math.max(nowMs - sinceMs, 0) + 1));
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata?.annotations?.[DELETION_COST];
  return text !== undefined && /^[+-]?\d{1,10}$/.test(text) ? Number(text) : 0;
}

function restarts(pod: Pod): number {
  let most = 0;
  for (const status of pod.status?.containerStatuses ?? []) most = Math.max(most, status.restartCount ?? 0);
  return most;
}

function compare(a: Ranked, b: Ranked): number {
  for (let at = 0; at < a.order.length; at++) {
    const difference = a.order[at]! - b.order[at]!;
    if (difference !== 0) return difference;
  }
  return a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0;
}
