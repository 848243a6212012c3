import type { Job } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { Container, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ObjectMeta, OwnerReference } from '../../../types/kubernetes/meta.ts';
import { matchFailurePolicy } from './failure-policy.ts';

/** Holds a pod until its outcome is counted in the Job's status. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
const FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';
const IGNORED_COUNT = 'batch.kubernetes.io/job-index-ignored-failure-count';
const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';
const LONGEST_PREFIX = 58;

export function isIndexed(job: Job): boolean {
  return job.spec!.completionMode === 'Indexed';
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata?.finalizers?.includes(TRACKING) ?? false;
}

/** True when only pods that have ended are replaced, not those that are still on their way out. */
export function replacesEndedOnly(job: Job): boolean {
  return job.spec!.podReplacementPolicy === 'Failed' || job.spec!.podFailurePolicy !== undefined;
}

/** True when the pod counts as a failure; one that is deleted does, for it may never get to say how it ended. */
export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === 'Failed') return true;
  return !replacesEndedOnly(job) && pod.metadata!.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

/** The pod's completion index; undefined when it has none below the Job's completions. */
export function indexOf(pod: Pod, job: Job): number | undefined {
  const text = pod.metadata?.annotations?.[COMPLETION_INDEX];
  const index = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  return index !== undefined && index < (job.spec!.completions ?? 0) ? index : undefined;
}

function countOf(pod: Pod, annotation: string): number {
  const text = pod.metadata?.annotations?.[annotation];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : 0;
}

/** How often its index had failed, for the limit, before this pod was made. */
export function failuresBefore(pod: Pod): number {
  return countOf(pod, FAILURE_COUNT);
}

/** The same with the failures that the policy ignores. */
export function allFailuresBefore(pod: Pod): number {
  return countOf(pod, FAILURE_COUNT) + countOf(pod, IGNORED_COUNT);
}

/** When its containers ended, in milliseconds; estimated where the status does not say. */
export function finishedAt(pod: Pod): number {
  const statuses = pod.status?.containerStatuses ?? [];
  const ends = statuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  if (ends.length > 0 && ends.every((end) => !Number.isNaN(end))) return Math.max(...ends);
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'False' && ready.lastTransitionTime) return Date.parse(ready.lastTransitionTime);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata!;
  if (deletionTimestamp !== undefined) return Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return Date.parse(creationTimestamp ?? '') || 0;
}

/** A pod of the Job. @param replaced the failed pod of the same index whose failures the new one carries on */
export function jobPod(job: Job, reference: OwnerReference, index: number | undefined, replaced: Pod | undefined): Pod {
  const { template } = job.spec!;
  const from = template.metadata ?? {};
  const spec = template.spec!;
  const finalizers = [...(from.finalizers ?? []).filter((name) => name !== TRACKING), TRACKING];
  const name = job.metadata!.name!;
  if (index === undefined) {
    const metadata: ObjectMeta = {
      generateName: `${name}-`,
      ...(from.labels && { labels: from.labels }),
      ...(from.annotations && { annotations: from.annotations }),
      finalizers,
      ownerReferences: [reference],
    };
    return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
  }
  const suffix = `-${index}-`;
  const metadata: ObjectMeta = {
    generateName: name.slice(0, LONGEST_PREFIX - suffix.length) + suffix,
    labels: { ...from.labels, [COMPLETION_INDEX]: String(index) },
    annotations: { ...from.annotations, [COMPLETION_INDEX]: String(index), ...(job.spec!.backoffLimitPerIndex !== undefined && failureCounts(job, replaced)) },
    finalizers, ownerReferences: [reference],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: {
      ...spec,
      hostname: `${name}-${index}`,
      containers: spec.containers.map(withIndexVariable),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(withIndexVariable) }),
    },
  };
}

function failureCounts(job: Job, replaced: Pod | undefined): Record<string, string> {
  if (replaced === undefined) return { [FAILURE_COUNT]: '0' };
  const counted = matchFailurePolicy(job.spec!.podFailurePolicy, replaced).counts;
  const ignored = countOf(replaced, IGNORED_COUNT) + (counted ? 0 : 1);
  return { [FAILURE_COUNT]: String(countOf(replaced, FAILURE_COUNT) + (counted ? 1 : 0)), ...(ignored > 0 && { [IGNORED_COUNT]: String(ignored) }) };
}

function withIndexVariable(container: Container): Container {
  if (container.env?.some(({ name }) => name === INDEX_VARIABLE)) return container;
  return {
    ...container,
    env: [
      ...(container.env ?? []),
      { name: INDEX_VARIABLE, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } } },
    ],
  };
}
