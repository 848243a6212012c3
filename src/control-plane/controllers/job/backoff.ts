import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { finishedAt } from './pods.ts';

const BASE_MS = 10_000;
const LONGEST_MS = 600_000;

/** How often pods of a Job failed since the last success, and when the last one did. */
export interface FailureRecord {
  readonly failures: number;
  readonly lastMs: number;
}

export const NO_FAILURES: FailureRecord = { failures: 0, lastMs: 0 };

/** The record after more pods have ended. */
export function recordFailures(before: FailureRecord, succeeded: readonly Pod[], failed: readonly Pod[]): FailureRecord {
  if (succeeded.length === 0 && failed.length === 0) return before;
  const ends = failed.map(finishedAt);
  if (succeeded.length === 0) return { failures: before.failures + failed.length, lastMs: Math.max(...ends) };
  const lastSuccessMs = Math.max(...succeeded.map(finishedAt));
  const after = ends.filter((end) => end > lastSuccessMs);
  return after.length === 0 ? NO_FAILURES : { failures: after.length, lastMs: Math.max(...after) };
}

/** Milliseconds until the next pod may be made: 10 s after a failure, doubled with each further one, at most ten minutes. */
export function backoffLeft({ failures, lastMs }: FailureRecord, nowMs: number): number {
  if (failures === 0) return 0;
  const delayMs = Math.min(BASE_MS * 2 ** Math.min(failures - 1, 20), LONGEST_MS);
  return Math.max(delayMs - (nowMs - lastMs), 0);
}
