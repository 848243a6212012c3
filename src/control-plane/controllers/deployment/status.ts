import { rfc3339 } from '../../../lib/clock.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import { conditionOf, withCondition, withoutCondition } from '../shared/conditions.ts';
import { maxUnavailable, progressDeadlineMs, replicasOf } from './fenceposts.ts';
import { total, type Rollout } from './rollout.ts';

/** The counts, and whether the Deployment is available. */
export function countedStatus(rollout: Rollout): DeploymentStatus {
  const { deployment, newSet, allSets } = rollout;
  const sum = (of: (set: ReplicaSet) => number | undefined): number => allSets.reduce((n, set) => n + (of(set) ?? 0), 0);
  const available = sum((set) => set.status?.availableReplicas);
  const unavailable = Math.max(total(allSets) - available, 0);
  const ready = sum((set) => set.status?.readyReplicas);
  const enough = available >= replicasOf(deployment) - maxUnavailable(deployment);
  if (enough) rollout.condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.');
  else rollout.condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.');
  const replicas = sum((set) => set.status?.replicas);
  const updated = newSet?.status?.replicas ?? 0;
  // A set that was never synced has no pods, so it does not make the sum unknown.
  const unknown = allSets.some((set) => set.status?.observedGeneration && set.status.terminatingReplicas === undefined);
  return {
    ...(deployment.metadata!.generation !== undefined && { observedGeneration: deployment.metadata!.generation }),
    ...(replicas > 0 && { replicas }), ...(updated > 0 && { updatedReplicas: updated }), ...(ready > 0 && { readyReplicas: ready }),
    ...(available > 0 && { availableReplicas: available }), ...(unavailable > 0 && { unavailableReplicas: unavailable }),
    ...(!unknown && { terminatingReplicas: sum((set) => set.status?.terminatingReplicas) }),
    ...(rollout.collisionCount !== undefined && { collisionCount: rollout.collisionCount }),
    conditions: rollout.conditions,
  };
}

/** All wanted replicas are updated and available, and no old pod is left. */
export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const wanted = replicasOf(deployment);
  return (
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata!.generation ?? 0)
  );
}

/**
 * The status while a rollout may be on its way: counts, what progress it makes,
 * and what keeps its ReplicaSets from making pods.
 */
export function rolloutStatus(rollout: Rollout): DeploymentStatus {
  const { deployment, newSet } = rollout;
  const status = countedStatus(rollout);
  const deadlineMs = progressDeadlineMs(deployment);
  // As written, not as this sync has it so far: an old rollout that is through stays so.
  const written = conditionOf(deployment.status?.conditions, 'Progressing');
  const settled = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && written?.reason === 'NewReplicaSetAvailable';
  let conditions: readonly DeploymentCondition[] = status.conditions!;
  if (deadlineMs === undefined) conditions = withoutCondition(conditions, 'Progressing');
  else if (!settled) {
    const nowMs = rollout.context.clock.now();
    const now = rfc3339(nowMs);
    const what = newSet === undefined ? `Deployment "${deployment.metadata!.name}"` : `ReplicaSet "${newSet.metadata!.name}"`;
    const progressing = (status: string, reason: string, message: string): DeploymentCondition => ({
      type: 'Progressing',
      status,
      lastUpdateTime: now,
      lastTransitionTime: now,
      reason,
      message,
    });
    if (isComplete(deployment, status)) {
      conditions = withCondition(conditions, progressing('True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`));
    } else if (hasProgressed(deployment.status, status)) {
      // lastUpdateTime moves with each step, also where status and reason stay.
      const condition = progressing('True', 'ReplicaSetUpdated', `${what} is progressing.`);
      const since = written?.status === 'True' ? written.lastTransitionTime : undefined;
      conditions = [...withoutCondition(conditions, 'Progressing'), { ...condition, ...(since && { lastTransitionTime: since }) }];
    } else if (hasTimedOut(conditions, deadlineMs, nowMs)) {
      conditions = withCondition(conditions, progressing('False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`));
    }
  }
  const failure = replicaFailure(rollout);
  conditions = failure === undefined ? withoutCondition(conditions, 'ReplicaFailure') : withCondition(conditions, failure);
  return { ...status, conditions };
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined): number => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

function hasTimedOut(conditions: readonly DeploymentCondition[], deadlineMs: number, nowMs: number): boolean {
  const condition = conditionOf(conditions, 'Progressing');
  if (condition === undefined || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  return Date.parse(condition.lastUpdateTime ?? '') + deadlineMs < nowMs;
}

/** That of the newest set before those of the others. */
function replicaFailure({ newSet, oldSets }: Rollout): DeploymentCondition | undefined {
  for (const set of [newSet, ...oldSets]) {
    const failure = conditionOf(set?.status?.conditions, 'ReplicaFailure');
    if (failure) return { ...failure, ...(failure.lastTransitionTime && { lastUpdateTime: failure.lastTransitionTime }) };
  }
  return undefined;
}

/** When to look again whether progress has stopped, in milliseconds; undefined when there is no need. */
export function nextProgressCheck({ deployment, context }: Rollout): number | undefined {
  const deadlineMs = progressDeadlineMs(deployment);
  const condition = conditionOf(deployment.status?.conditions, 'Progressing');
  if (
    deadlineMs === undefined ||
    condition === undefined ||
    condition.reason === 'ProgressDeadlineExceeded' ||
    isComplete(deployment, deployment.status)
  ) {
    return undefined;
  }
  // A second more, since the time stamp has whole seconds.
  return Math.max(Date.parse(condition.lastUpdateTime ?? '') + deadlineMs - context.clock.now(), 0) + 1000;
}
