import type { Pod, PodCondition } from '../../types/kubernetes/generated/core-v1.ts';

/** What a newer version of a pod asks of its worker. Our own status update comes back as a change: nothing to do for it. */
export function changesOf(before: Pod, after: Pod): { readonly look: boolean; readonly files: boolean } {
  const [old, now] = [before.metadata, after.metadata];
  const files = JSON.stringify([old?.labels, old?.annotations]) !== JSON.stringify([now?.labels, now?.annotations]);
  const look = files
    || old?.deletionTimestamp !== now?.deletionTimestamp
    || old?.deletionGracePeriodSeconds !== now?.deletionGracePeriodSeconds
    || old?.generation !== now?.generation
    || (before.spec !== after.spec && JSON.stringify(before.spec) !== JSON.stringify(after.spec))
    || gatesOf(before) !== gatesOf(after);
  return { look, files };
}

/** Conditions of others that readiness depends on. */
function gatesOf({ spec, status }: Pod): string {
  return (spec?.readinessGates ?? []).map(({ conditionType }) => status?.conditions?.find(({ type }) => type === conditionType)?.status ?? '').join();
}

/** Conditions of others from the API's version of a pod, ours from what we wrote last. */
export function withConditions(theirs: readonly PodCondition[], ours: readonly PodCondition[]): PodCondition[] {
  return [...theirs.filter(({ type }) => !ours.some((own) => own.type === type)), ...ours];
}
