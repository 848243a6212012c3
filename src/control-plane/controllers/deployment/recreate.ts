import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { isTerminal } from '../shared/pods.ts';
import { replicasOf } from './fenceposts.ts';
import { isActiveSet, type Rollout } from './rollout.ts';

/**
 * One step of a Recreate rollout: everything old must be gone before anything new is made.
 * @param podsOf the pods of a ReplicaSet, those being deleted included
 */
export async function recreate(rollout: Rollout, podsOf: (uid: string) => Iterable<Pod>): Promise<void> {
  await rollout.syncRevision(false);
  let scaled = false;
  for (const set of rollout.oldSets.filter(isActiveSet)) if (await rollout.scale(set, 0)) scaled = true;
  if (scaled || oldPodsRun(rollout, podsOf)) return;
  if (rollout.newSet === undefined) await rollout.syncRevision(true);
  await rollout.scale(rollout.newSet!, replicasOf(rollout.deployment));
}

function oldPodsRun({ oldSets }: Rollout, podsOf: (uid: string) => Iterable<Pod>): boolean {
  for (const set of oldSets) {
    if ((set.status?.replicas ?? 0) > 0) return true;
    for (const pod of podsOf(set.metadata!.uid!)) if (!isTerminal(pod)) return true;
  }
  return false;
}
