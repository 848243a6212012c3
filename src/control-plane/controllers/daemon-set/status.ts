import type { DaemonSet, DaemonSetStatus } from '../../../types/kubernetes/generated/apps-v1.ts';
import { isAvailable, isReady } from '../shared/pods.ts';
import { isUpdated, suits } from './placement.ts';
import type { DaemonView } from './plan.ts';

/** Counts, by nodes. @param observed whether this generation of the set was acted upon */
export function daemonStatus(view: DaemonView, observed: boolean, collisionCount: number | undefined): DaemonSetStatus {
  const set: DaemonSet = view.set;
  let desired = 0;
  let current = 0;
  let misscheduled = 0;
  let ready = 0;
  let available = 0;
  let updated = 0;
  for (const node of view.nodes) {
    const pods = view.pods.get(node.metadata!.name!) ?? [];
    if (!suits(set, node).start) {
      if (pods.length > 0) misscheduled++;
      continue;
    }
    desired++;
    const oldest = pods.toSorted(
      (a, b) =>
        Number(Boolean(b.spec?.nodeName)) - Number(Boolean(a.spec?.nodeName)) ||
        (`${a.metadata!.creationTimestamp}` < `${b.metadata!.creationTimestamp}` ? -1 : 1),
    )[0];
    if (oldest === undefined) continue;
    current++;
    if (isReady(oldest)) ready++;
    if (isAvailable(oldest, set.spec!.minReadySeconds ?? 0, view.nowMs)) available++;
    if (isUpdated(oldest, view.hash)) updated++;
  }
  const observedGeneration = observed ? set.metadata!.generation : set.status?.observedGeneration;
  return {
    currentNumberScheduled: current, numberMisscheduled: misscheduled, desiredNumberScheduled: desired, numberReady: ready,
    ...(observedGeneration !== undefined && { observedGeneration }),
    ...(updated > 0 && { updatedNumberScheduled: updated }),
    ...(available > 0 && { numberAvailable: available }),
    ...(desired > available && { numberUnavailable: desired - available }),
    ...(collisionCount !== undefined && { collisionCount }),
    ...(set.status?.conditions && { conditions: set.status.conditions }),
  };
}
