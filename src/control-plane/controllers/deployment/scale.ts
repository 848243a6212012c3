import type { ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import { desiredReplicasOf, maxReplicasOf } from './annotations.ts';
import { isRolling, maxSurge, replicasOf } from './fenceposts.ts';
import { isActiveSet, olderFirst, total, type Rollout } from './rollout.ts';

/** True when the Deployment was resized since its ReplicaSets were. */
export function wasScaled({ deployment, allSets }: Rollout): boolean {
  return allSets.some((set) => {
    if (!isActiveSet(set)) return false;
    const desired = desiredReplicasOf(set);
    return desired !== undefined && desired !== replicasOf(deployment);
  });
}

/**
 * Follows a change of the Deployment's size. In the middle of a rollout (or
 * when it is paused) all ReplicaSets grow or shrink in proportion, so that
 * scaling does not hasten the rollout.
 */
export async function scale(rollout: Rollout): Promise<void> {
  const { deployment, newSet, oldSets } = rollout;
  const wanted = replicasOf(deployment);
  const only = activeOrLatest(newSet, oldSets);
  if (only !== undefined) {
    await rollout.scale(only, wanted);
    return;
  }
  if (newSet !== undefined && replicasOf(newSet) === wanted && desiredReplicasOf(newSet) === wanted && (newSet.status?.availableReplicas ?? 0) === wanted) {
    for (const old of oldSets.filter(isActiveSet)) await rollout.scale(old, 0);
    return;
  }
  if (isRolling(deployment)) await scaleInProportion(rollout, wanted);
}

/** The one set with pods; the newest when none has any; undefined when several have. */
function activeOrLatest(newSet: ReplicaSet | undefined, oldSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const active = [newSet, ...oldSets].filter(isActiveSet);
  if (active.length === 0) return newSet ?? oldSets.at(-1);
  return active.length === 1 ? active[0] : undefined;
}

async function scaleInProportion(rollout: Rollout, wanted: number): Promise<void> {
  const { deployment } = rollout;
  const surge = maxSurge(deployment);
  const sets = rollout.allSets.filter(isActiveSet);
  const toAdd = (wanted > 0 ? wanted + surge : 0) - total(sets);
  // The largest first. Among equals the newer ones grow first, and the older ones shrink first.
  sets.sort((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? olderFirst(b, a) : olderFirst(a, b)));
  const sizes = new Map<ReplicaSet, number>();
  let added = 0;
  for (const set of sets) {
    const share = toAdd === 0 || added === toAdd ? 0 : clamp(fraction(rollout, set, wanted, surge), toAdd - added);
    sizes.set(set, replicasOf(set) + share);
    added += share;
  }
  for (const [at, set] of sets.entries()) {
    const leftover = at === 0 ? toAdd - added : 0;
    await rollout.scale(set, Math.max(sizes.get(set)! + leftover, 0), true);
  }
}

/** By how much a set changes when it keeps its share of the whole. */
function fraction({ deployment }: Rollout, set: ReplicaSet, wanted: number, surge: number): number {
  const size = replicasOf(set);
  if (wanted === 0) return -size;
  const before = maxReplicasOf(set) || (deployment.status?.replicas ?? 0);
  return before === 0 ? 0 : Math.round((size * (wanted + surge)) / before) - size;
}

/** Never past what is left to add (or to take, when negative). */
function clamp(share: number, left: number): number {
  return left > 0 ? Math.min(share, left) : Math.max(share, left);
}
