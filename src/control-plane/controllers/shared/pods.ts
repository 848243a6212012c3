import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';

/** Not finished and not being deleted. */
export function isActive(pod: Pod): boolean {
  return !isTerminal(pod) && pod.metadata?.deletionTimestamp === undefined;
}

/** Its containers have ended for good. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Being deleted, and its containers may still run. */
export function isTerminating(pod: Pod): boolean {
  return !isTerminal(pod) && pod.metadata?.deletionTimestamp !== undefined;
}

export function isReady(pod: Pod): boolean {
  const conditions = pod.status?.conditions;
  if (conditions === undefined) return false;
  for (const condition of conditions) if (condition.type === 'Ready') return condition.status === 'True';
  return false;
}

/** Since when it is ready, in milliseconds of the wall clock; undefined when it is not, or does not say. */
export function readySince(pod: Pod): number | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  if (condition?.status !== 'True' || !condition.lastTransitionTime) return undefined;
  return Date.parse(condition.lastTransitionTime);
}

/** Ready, and for at least so long. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  if (!isReady(pod)) return false;
  if (minReadySeconds === 0) return true;
  const since = readySince(pod);
  return since !== undefined && since + minReadySeconds * 1000 <= nowMs;
}

/** Milliseconds until the next ready pod becomes available; undefined when none waits for that. */
export function nextAvailableIn(pods: Iterable<Pod>, minReadySeconds: number, nowMs: number): number | undefined {
  let next: number | undefined;
  for (const pod of pods) {
    const since = readySince(pod);
    if (since === undefined || isAvailable(pod, minReadySeconds, nowMs)) continue;
    const wait = since + minReadySeconds * 1000 - nowMs;
    if (next === undefined || wait < next) next = wait;
  }
  return next;
}
