import { replicaSets } from '../../../client/resources.ts';
import { isCode } from '../../../lib/errors.ts';
import { revisionOf } from './annotations.ts';
import { replicasOf } from './fenceposts.ts';
import { olderFirst, type Rollout } from './rollout.ts';

/** Deletes the oldest empty ReplicaSets beyond `revisionHistoryLimit`. */
export async function cleanUpHistory(rollout: Rollout): Promise<void> {
  const limit = rollout.deployment.spec!.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return;
  const alive = rollout.oldSets.filter((set) => set.metadata!.deletionTimestamp === undefined);
  alive.sort((a, b) => Number(revisionOf(a) - revisionOf(b)) || olderFirst(a, b));
  for (const set of alive.slice(0, Math.max(alive.length - limit, 0))) {
    const { namespace, name, uid, generation = 0 } = set.metadata!;
    if ((set.status?.replicas ?? 0) !== 0 || replicasOf(set) !== 0 || generation > (set.status?.observedGeneration ?? 0)) continue;
    try {
      await rollout.context.transport.delete(replicaSets, namespace, name!, { ...(uid !== undefined && { preconditions: { uid } }) });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
}
