import { matchesMap } from '../../../client/label-selector.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { ReplicaSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { conditionOf, withCondition, withoutCondition } from '../shared/conditions.ts';
import { isAvailable, isReady } from '../shared/pods.ts';
import type { ReplicaOwner } from './kinds.ts';

/** What the status of a ReplicaSet (or ReplicationController) should say. @param failure why replicas could not be made or deleted */
export function replicaStatus(owner: ReplicaOwner, active: readonly Pod[], terminating: number, failure: unknown, nowMs: number): ReplicaSetStatus {
  const spec = owner.spec!;
  const labels = spec.template?.metadata?.labels;
  let fullyLabeled = 0;
  let ready = 0;
  let available = 0;
  for (const pod of active) {
    if (labels === undefined || matchesMap(labels, pod.metadata?.labels)) fullyLabeled++;
    if (!isReady(pod)) continue;
    ready++;
    if (isAvailable(pod, spec.minReadySeconds ?? 0, nowMs)) available++;
  }
  const { conditions: before } = owner.status ?? {};
  let conditions = before;
  const known = conditionOf(before, 'ReplicaFailure');
  if (failure !== undefined && known === undefined) {
    const reason = active.length < (spec.replicas ?? 1) ? 'FailedCreate' : 'FailedDelete';
    conditions = withCondition(before, { type: 'ReplicaFailure', status: 'True', reason, message: messageOf(failure), lastTransitionTime: rfc3339(nowMs) });
  } else if (failure === undefined && known !== undefined) conditions = withoutCondition(before, 'ReplicaFailure');
  return {
    replicas: active.length,
    ...(fullyLabeled > 0 && { fullyLabeledReplicas: fullyLabeled }),
    ...(ready > 0 && { readyReplicas: ready }),
    ...(available > 0 && { availableReplicas: available }),
    ...(owner.kind !== 'ReplicationController' && { terminatingReplicas: terminating }),
    ...(owner.metadata?.generation !== undefined && { observedGeneration: owner.metadata.generation }),
    ...(conditions !== undefined && conditions.length > 0 && { conditions }),
  };
}
