import type { Job, JobCondition } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import { conditionOf } from '../shared/conditions.ts';
import { matchFailurePolicy } from './failure-policy.ts';
import { overlap, parseIntervals, sizeOf, type Intervals } from './intervals.ts';
import { hasFailed, isIndexed } from './pods.ts';

/** How a Job ends: well or not, and why. */
export interface Verdict {
  readonly success: boolean;
  readonly reason: string;
  readonly message: string;
}

export function isFinished(job: Job): boolean {
  return job.status?.conditions?.some(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True') ?? false;
}

/** When it finished, in milliseconds. */
export function finishTime(job: Job): number | undefined {
  const condition = job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True');
  return condition?.lastTransitionTime ? Date.parse(condition.lastTransitionTime) : undefined;
}

export interface Progress {
  readonly job: Job;
  readonly pods: readonly Pod[];
  /** Failures that count, those of this sync included. */
  readonly failed: number;
  readonly succeededIndexes: Intervals;
  readonly failedIndexes: Intervals | undefined;
  readonly nowMs: number;
}

/** What was decided in an earlier sync stands; then come the reasons to fail, and then the success policy. */
export function verdictOf(progress: Progress): Verdict | undefined {
  const { job, pods, failed, nowMs } = progress;
  const spec = job.spec!;
  const standing = (condition: JobCondition | undefined, success: boolean): Verdict | undefined =>
    condition?.status === 'True' ? { success, reason: condition.reason ?? '', message: condition.message ?? '' } : undefined;
  const before =
    standing(conditionOf(job.status?.conditions, 'SuccessCriteriaMet'), true) ??
    standing(conditionOf(job.status?.conditions, 'FailureTarget'), false);
  if (before !== undefined) return before;
  if (spec.podFailurePolicy !== undefined) {
    for (const pod of pods) {
      const message = hasFailed(pod, job) ? matchFailurePolicy(spec.podFailurePolicy, pod).failJob : undefined;
      if (message !== undefined) return { success: false, reason: 'PodFailurePolicy', message };
    }
  }
  if (failed > (spec.backoffLimit ?? 6) || tooManyRestarts(job, pods)) {
    return { success: false, reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  if (deadlineLeft(job, nowMs) === 0) {
    return { success: false, reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  }
  return isIndexed(job) ? indexedVerdict(progress) : undefined;
}

function indexedVerdict({ job, succeededIndexes, failedIndexes }: Progress): Verdict | undefined {
  const { maxFailedIndexes, completions = 0, successPolicy } = job.spec!;
  if (failedIndexes !== undefined) {
    const failed = sizeOf(failedIndexes);
    if (maxFailedIndexes !== undefined && failed > maxFailedIndexes) {
      return {
        success: false,
        reason: 'MaxFailedIndexesExceeded',
        message: 'Job has exceeded the specified maximal number of failed indexes',
      };
    }
    if (failed > 0 && failed + sizeOf(succeededIndexes) >= completions) {
      return { success: false, reason: 'FailedIndexes', message: 'Job has failed indexes' };
    }
  }
  if (succeededIndexes.length === 0) return undefined;
  for (const [at, { succeededIndexes: listed, succeededCount }] of (successPolicy?.rules ?? []).entries()) {
    const required = listed === undefined ? [[0, completions - 1] as const] : parseIntervals(listed, completions);
    if (required.length === 0) continue;
    const met = overlap(required, succeededIndexes);
    if ((listed !== undefined && met === sizeOf(required)) || (succeededCount !== undefined && met >= succeededCount)) {
      return { success: true, reason: 'SuccessPolicy', message: `Matched rules at index ${at}` };
    }
  }
  return undefined;
}

/** Milliseconds until activeDeadlineSeconds are over; undefined when there is no deadline, or its clock does not run. */
export function deadlineLeft(job: Job, nowMs: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec!;
  const start = job.status?.startTime;
  if (activeDeadlineSeconds === undefined || start === undefined || suspend) return undefined;
  return Math.max(Date.parse(start) + activeDeadlineSeconds * 1000 - nowMs, 0);
}

/** Where containers are restarted in place, restarts count like failed pods. */
function tooManyRestarts(job: Job, pods: readonly Pod[]): boolean {
  const { template, backoffLimit = 6 } = job.spec!;
  if (template.spec?.restartPolicy !== 'OnFailure') return false;
  let restarts = 0;
  for (const pod of pods) {
    const phase = pod.status?.phase;
    if (phase !== 'Running' && phase !== 'Pending') continue;
    for (const { restartCount = 0 } of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
      restarts += restartCount;
    }
  }
  return backoffLimit === 0 ? restarts > 0 : restarts >= backoffLimit;
}
