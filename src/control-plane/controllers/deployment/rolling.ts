import { maxUnavailable, replicasOf } from './fenceposts.ts';
import { isActiveSet, lastingAvailable, total, type Rollout } from './rollout.ts';

/**
 * One step of a rolling update: the new ReplicaSet grows as far as the surge
 * allows, or else old ones shrink as far as availability allows.
 */
export async function roll(rollout: Rollout): Promise<void> {
  await rollout.syncRevision(true);
  const newSet = rollout.newSet!;
  const wanted = replicasOf(rollout.deployment);
  const present = replicasOf(newSet);
  if (present !== wanted) {
    const size = present > wanted ? wanted : rollout.newSetReplicas(present);
    if (await rollout.scale(newSet, size)) return;
  }
  await shrinkOldSets(rollout);
}

async function shrinkOldSets(rollout: Rollout): Promise<void> {
  const newSet = rollout.newSet!;
  if (total(rollout.oldSets) === 0) return;
  const least = replicasOf(rollout.deployment) - maxUnavailable(rollout.deployment);
  // Pods of the new set that are not available yet count as if they were missing.
  const newUnavailable = replicasOf(newSet) - lastingAvailable(newSet);
  const most = total(rollout.allSets) - least - newUnavailable;
  if (most <= 0) return;
  // First those that do not serve anyway: they would block the rollout for good.
  let cleaned = 0;
  for (const set of rollout.oldSets.filter(isActiveSet)) {
    const unhealthy = Math.min(most - cleaned, replicasOf(set) - lastingAvailable(set));
    if (unhealthy <= 0) continue;
    await rollout.scale(set, replicasOf(set) - unhealthy);
    cleaned += unhealthy;
  }
  const available = rollout.allSets.reduce((sum, set) => sum + lastingAvailable(set), 0);
  let spare = available - least;
  for (const set of rollout.oldSets.filter(isActiveSet)) {
    if (spare <= 0) return;
    const count = Math.min(replicasOf(set), spare);
    await rollout.scale(set, replicasOf(set) - count);
    spare -= count;
  }
}
