import { jobs, pods as podResource } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Job, JobCondition, JobStatus } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { Writable } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext } from '../context.ts';
import { podsToDelete } from '../replica-set/ranking.ts';
import { conditionOf, withCondition } from '../shared/conditions.ts';
import { semanticEqual } from '../shared/equal.ts';
import { isNamespaceTerminating, slowStart, type PodControl } from '../shared/pod-control.ts';
import { isActive, isReady, isTerminating } from '../shared/pods.ts';
import { eventTarget } from '../shared/target.ts';
import { backoffLeft, recordFailures, type FailureRecord } from './backoff.ts';
import { matchFailurePolicy } from './failure-policy.ts';
import { firstMissing, formatIntervals, includes, NO_INDEXES, parseIntervals, sizeOf, union, withIndexes, type Intervals } from './intervals.ts';
import { allFailuresBefore, failuresBefore, finishedAt, hasFailed, indexOf, isIndexed, isTracked, jobPod, replacesEndedOnly, TRACKING } from './pods.ts';
import { deadlineLeft, verdictOf, type Verdict } from './verdict.ts';

/** Pods made or deleted in one go; pods whose end is counted in one go. */
const BURST = 500;

/** What the controller keeps for a Job between syncs. */
export interface JobMemory {
  record: FailureRecord;
  /** Uids of pods whose finalizer was taken away, which the cache does not show yet. */
  readonly released: Set<string>;
}

export interface JobSyncOptions {
  readonly context: ControllerContext;
  readonly control: PodControl;
  readonly memory: JobMemory;
  readonly expect: (creations: number, deletions: readonly string[]) => void;
  readonly created: () => void;
  readonly deleted: (uid: string) => void;
  readonly wrote: (job: Job) => void;
}

/**
 * One look at one Job. The order of its writes makes counting safe against
 * crashes (KEP-2307): uids of ended pods go into the status first, then their
 * finalizers are taken away, and only then they move into the counters.
 */
export class JobSync {
  readonly #options: JobSyncOptions;
  readonly #nowMs: number;
  readonly #pods: readonly Pod[];
  readonly #active: readonly Pod[];
  #job: Job;
  #status: Writable<JobStatus>;
  #activeCount: number;
  #ready: number;
  #terminating: number;
  #succeededBefore: Intervals = NO_INDEXES;
  #succeeded: Intervals = NO_INDEXES;
  #failed: Intervals | undefined;
  /** Milliseconds until the Job must be looked at again. */
  lookAgainMs: number | undefined;

  constructor(options: JobSyncOptions, job: Job, pods: readonly Pod[]) {
    this.#options = options;
    this.#nowMs = options.context.clock.now();
    this.#job = job;
    this.#pods = pods;
    this.#active = pods.filter(isActive);
    this.#activeCount = this.#active.length;
    this.#ready = this.#active.filter(isReady).length;
    this.#terminating = pods.filter(isTerminating).length;
    this.#status = structuredClone(job.status ?? {}) as Writable<JobStatus>;
    this.#status.uncountedTerminatedPods ??= {};
  }

  /** @param satisfied whether the cache shows all pods that were made and deleted before */
  async run(satisfied: boolean): Promise<void> {
    const job = this.#job;
    const { memory } = this.#options;
    const suspended = job.spec!.suspend ?? false;
    const succeededPods = this.#uncounted('succeeded', (pod) => pod.status?.phase === 'Succeeded');
    const failedPods = this.#uncounted('failed', (pod) => hasFailed(pod, job));
    const failed =
      (this.#status.failed ?? 0) +
      failedPods.filter((pod) => matchFailurePolicy(job.spec!.podFailurePolicy, pod).counts).length +
      (this.#status.uncountedTerminatedPods!.failed?.length ?? 0);
    let succeeded = (this.#status.succeeded ?? 0) + succeededPods.length + (this.#status.uncountedTerminatedPods!.succeeded?.length ?? 0);
    if (this.#status.startTime === undefined && !suspended) this.#status.startTime = rfc3339(this.#nowMs);
    const record = recordFailures(memory.record, succeededPods, failedPods);
    if (isIndexed(job)) {
      this.#calculateIndexes();
      succeeded = sizeOf(this.#succeeded);
    }
    let verdict = verdictOf({
      job: { ...job, status: this.#status },
      pods: this.#pods,
      failed,
      succeededIndexes: this.#succeeded,
      failedIndexes: this.#failed,
      nowMs: this.#nowMs,
    });
    this.#wake(deadlineLeft({ ...job, status: this.#status }, this.#nowMs));
    let failure: unknown;
    if (verdict !== undefined) {
      const outcome = await this.#deleteActive();
      failure = outcome.error;
      // Not all are gone, or there may be more than the cache shows: the end can't be declared yet.
      if (!outcome.all || !satisfied) verdict = undefined;
    } else if (satisfied && job.metadata!.deletionTimestamp === undefined) {
      failure = await this.#manage(succeeded, record);
      const { completions } = job.spec!;
      const complete = this.#activeCount === 0 && (completions === undefined ? succeeded > 0 : succeeded >= completions);
      if (complete) verdict = { success: true, reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
      else this.#noteSuspension(suspended);
    }
    this.#status.active = this.#activeCount;
    this.#status.ready = this.#ready;
    this.#status.terminating = this.#terminating;
    await this.#track(verdict, record);
    if (failure !== undefined) throw failure;
  }

  #wake(ms: number | undefined): void {
    if (ms !== undefined && ms > 0) this.lookAgainMs = Math.min(this.lookAgainMs ?? ms, ms);
  }

  /** Ended pods that no status knows of. */
  #uncounted(kind: 'succeeded' | 'failed', which: (pod: Pod) => boolean): Pod[] {
    const noted = new Set(this.#status.uncountedTerminatedPods![kind]);
    return this.#pods.filter(
      (pod) =>
        this.#isHeld(pod) &&
        !noted.has(pod.metadata!.uid!) &&
        (!isIndexed(this.#job) || indexOf(pod, this.#job) !== undefined) &&
        which(pod),
    );
  }

  #isHeld(pod: Pod): boolean {
    return isTracked(pod) && !this.#options.memory.released.has(pod.metadata!.uid!);
  }

  #calculateIndexes(): void {
    const job = this.#job;
    const { completions = 0, backoffLimitPerIndex } = job.spec!;
    this.#succeededBefore = parseIntervals(this.#status.completedIndexes, completions);
    const indexes = (which: (pod: Pod) => boolean): number[] =>
      this.#pods
        .filter((pod) => this.#isHeld(pod) && which(pod))
        .map((pod) => indexOf(pod, job))
        .filter((index) => index !== undefined);
    this.#succeeded = withIndexes(
      this.#succeededBefore,
      indexes((pod) => pod.status?.phase === 'Succeeded'),
    );
    if (backoffLimitPerIndex === undefined) return;
    const exhausted = (pod: Pod): boolean => {
      if (!hasFailed(pod, job)) return false;
      const { counts, failIndex } = matchFailurePolicy(job.spec!.podFailurePolicy, pod);
      return (failIndex ?? false) || (counts && failuresBefore(pod) >= backoffLimitPerIndex);
    };
    this.#failed = withIndexes(parseIntervals(this.#status.failedIndexes, completions), indexes(exhausted));
  }

  /** Failed pods that are kept until their successor is made, which carries on their count of failures. */
  #delayed(): Map<number, Pod> {
    const delayed = new Map<number, Pod>();
    if (this.#failed === undefined) return delayed;
    const active = new Set(this.#active.map((pod) => indexOf(pod, this.#job)));
    for (const pod of this.#pods) {
      const index = indexOf(pod, this.#job);
      if (
        index === undefined ||
        !this.#isHeld(pod) ||
        !hasFailed(pod, this.#job) ||
        active.has(index) ||
        includes(this.#succeeded, index) ||
        includes(this.#failed, index)
      ) {
        continue;
      }
      const known = delayed.get(index);
      if (known === undefined || (allFailuresBefore(known) <= allFailuresBefore(pod) && finishedAt(pod) >= finishedAt(known))) {
        delayed.set(index, pod);
      }
    }
    return delayed;
  }

  async #deleteActive(): Promise<{ readonly all: boolean; readonly error?: unknown }> {
    const { control } = this.#options;
    const results = await Promise.allSettled(this.#active.map((pod) => control.delete(this.#job, pod)));
    const deleted = results.filter(({ status }) => status === 'fulfilled').length;
    this.#activeCount -= deleted;
    this.#terminating += deleted;
    this.#ready = Math.min(this.#ready, this.#activeCount);
    const failed = results.find((result) => result.status === 'rejected');
    return { all: failed === undefined, ...(failed && { error: failed.reason as unknown }) };
  }

  /** Makes or deletes pods. @returns what went wrong */
  async #manage(succeeded: number, record: FailureRecord): Promise<unknown> {
    const { spec } = this.#job;
    if (spec!.suspend) return this.#remove(this.#active);
    const { completions, parallelism = 1 } = spec!;
    const wanted = completions === undefined ? (succeeded > 0 ? this.#activeCount : parallelism) : Math.max(Math.min(completions - succeeded, parallelism), 0);
    const excess = this.#chooseExcess(Math.max(this.#activeCount - wanted, 0));
    if (excess.length > 0) return this.#remove(excess.slice(0, BURST));
    const missing = Math.min(wanted - this.#activeCount - (replacesEndedOnly(this.#job) ? this.#terminating : 0), BURST);
    return missing > 0 ? this.#create(missing, record) : undefined;
  }

  /** Duplicates of an index and pods without one first, then the least useful. */
  #chooseExcess(count: number): Pod[] {
    const excess: Pod[] = [];
    let rest = [...this.#active];
    if (isIndexed(this.#job)) {
      const byIndex = new Map<number, Pod[]>();
      for (const pod of this.#active) {
        const index = indexOf(pod, this.#job);
        if (index === undefined) excess.push(pod);
        else byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
      }
      for (const same of byIndex.values()) if (same.length > 1) excess.push(...podsToDelete(same, [], same.length - 1, this.#nowMs));
      rest = rest.filter((pod) => !excess.includes(pod));
    }
    return count > excess.length ? [...excess, ...podsToDelete(rest, [], count - excess.length, this.#nowMs)] : excess;
  }

  /** Deletes pods without counting them as failures. */
  async #remove(pods: readonly Pod[]): Promise<unknown> {
    const { control, context, expect, deleted } = this.#options;
    expect(0, pods.map((pod) => pod.metadata!.uid!));
    const results = await Promise.allSettled(pods.map(async (pod) => {
      let gone = false;
      try {
        if (isTracked(pod)) await releasePod(context, pod);
        gone = await control.delete(this.#job, pod);
      } finally {
        if (!gone) deleted(pod.metadata!.uid!);
      }
    }));
    const count = results.filter(({ status }) => status === 'fulfilled').length;
    this.#activeCount -= count;
    this.#terminating += count;
    this.#ready = Math.min(this.#ready, this.#activeCount);
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  async #create(count: number, record: FailureRecord): Promise<unknown> {
    const { control, expect, created } = this.#options;
    const job = this.#job;
    const delayed = this.#delayed();
    let indexes: readonly (number | undefined)[] = Array.from({ length: count });
    if (isIndexed(job)) indexes = this.#pendingIndexes(count, delayed);
    if (this.#failed === undefined) {
      const waitMs = backoffLeft(record, this.#nowMs);
      this.#wake(waitMs);
      if (waitMs > 0) return undefined;
    }
    if (indexes.length === 0) return undefined;
    expect(indexes.length, []);
    let gone = false;
    const { successes, error } = await slowStart(indexes.length, async (at) => {
      const index = indexes[at];
      try {
        await control.create(job, jobPod(job, control.reference(job), index, index === undefined ? undefined : delayed.get(index)));
      } catch (failure) {
        gone ||= isNamespaceTerminating(failure);
        throw failure;
      }
    });
    for (let n = successes; n < indexes.length; n++) created();
    this.#activeCount += successes;
    return gone ? undefined : error;
  }

  #pendingIndexes(count: number, delayed: ReadonlyMap<number, Pod>): number[] {
    const job = this.#job;
    const taken = this.#pods
      .filter((pod) => isActive(pod) || (replacesEndedOnly(job) && isTerminating(pod)))
      .map((pod) => indexOf(pod, job))
      .filter((index) => index !== undefined);
    const pending = firstMissing(union(withIndexes(this.#succeeded, taken), this.#failed ?? NO_INDEXES), count, job.spec!.completions ?? 0);
    if (this.#failed === undefined) return pending;
    return pending.filter((index) => {
      const last = delayed.get(index);
      const waitMs = last === undefined ? 0 : backoffLeft({ failures: allFailuresBefore(last) + 1, lastMs: finishedAt(last) }, this.#nowMs);
      this.#wake(waitMs);
      return waitMs === 0;
    });
  }

  #noteSuspension(suspended: boolean): void {
    const present = conditionOf(this.#status.conditions, 'Suspended');
    if (suspended ? present?.status === 'True' : present?.status !== 'True') return;
    this.#condition('Suspended', suspended ? 'True' : 'False', suspended ? 'JobSuspended' : 'JobResumed', suspended ? 'Job suspended' : 'Job resumed');
    this.#event('Normal', suspended ? 'Suspended' : 'Resumed', suspended ? 'Job suspended' : 'Job resumed');
    // The deadline counts from when it was last resumed.
    if (suspended) delete this.#status.startTime;
    else this.#status.startTime = rfc3339(this.#nowMs);
  }

  #condition(type: string, status: string, reason: string, message: string): void {
    const now = rfc3339(this.#nowMs);
    const condition: JobCondition = { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
    this.#status.conditions = [...withCondition<JobCondition>(this.#status.conditions, condition)];
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.context.events.event(eventTarget(jobs, this.#job), type, reason, message);
  }

  /** Counts ended pods, lets go of them, and declares the end. */
  async #track(verdict: Verdict | undefined, record: FailureRecord): Promise<void> {
    const { memory } = this.#options;
    const held = new Set(this.#pods.filter((pod) => this.#isHeld(pod)).map((pod) => pod.metadata!.uid!));
    this.#countReleased(held);
    const { release, all } = this.#noteEnded(verdict);
    if (verdict !== undefined) {
      this.#condition(verdict.success ? 'SuccessCriteriaMet' : 'FailureTarget', 'True', verdict.reason, verdict.message);
    }
    await this.#write();
    memory.record = record;
    const failure = await this.#release(release, held);
    this.#countReleased(held);
    const uncounted = this.#status.uncountedTerminatedPods!;
    const settled = all && failure === undefined && !uncounted.succeeded?.length && !uncounted.failed?.length && this.#terminating === 0;
    if (verdict !== undefined && settled) {
      this.#condition(verdict.success ? 'Complete' : 'Failed', 'True', verdict.reason, verdict.message);
      if (verdict.success) this.#status.completionTime = rfc3339(this.#nowMs);
    }
    await this.#write();
    if (verdict !== undefined && settled) this.#announce(verdict);
    if (failure !== undefined) throw failure;
  }

  #announce(verdict: Verdict): void {
    const { completions } = this.#job.spec!;
    if (!verdict.success) return this.#event('Warning', verdict.reason, verdict.message);
    if (completions !== undefined && (this.#status.succeeded ?? 0) > completions) {
      this.#event('Warning', 'TooManySucceededPods', 'Too many succeeded pods running after completion count reached');
    }
    this.#event('Normal', 'Completed', 'Job completed');
  }

  /** Uids whose pods are free (or gone) move into the counters. */
  #countReleased(held: ReadonlySet<string>): void {
    const uncounted = this.#status.uncountedTerminatedPods!;
    for (const kind of ['succeeded', 'failed'] as const) {
      const uids = uncounted[kind] ?? [];
      const rest = uids.filter((uid) => held.has(uid));
      if (rest.length < uids.length) this.#status[kind] = (this.#status[kind] ?? 0) + uids.length - rest.length;
      if (rest.length > 0) uncounted[kind] = rest;
      else delete uncounted[kind];
    }
  }

  /** Notes the uids (or indexes) of ended pods in the status. @returns the pods to let go, and whether these are all */
  #noteEnded(verdict: Verdict | undefined): { readonly release: Pod[]; readonly all: boolean } {
    const job = this.#job;
    const uncounted = this.#status.uncountedTerminatedPods!;
    const indexed = isIndexed(job);
    const delayed = this.#delayed();
    const ordered = indexed ? this.#pods.toSorted((a, b) => (indexOf(a, job) ?? -1) - (indexOf(b, job) ?? -1)) : this.#pods;
    const release: Pod[] = [];
    let newIndexes: Intervals = this.#succeededBefore;
    let all = true;
    for (const pod of ordered) {
      if (!this.#isHeld(pod)) continue;
      const uid = pod.metadata!.uid!;
      const failed = hasFailed(pod, job);
      const succeeded = pod.status?.phase === 'Succeeded';
      const index = indexOf(pod, job);
      const kept = index !== undefined && delayed.get(index) === pod;
      if (job.metadata!.deletionTimestamp === undefined && verdict === undefined && !succeeded && (!failed || kept)) continue;
      if (release.length >= BURST) {
        all = false;
        break;
      }
      release.push(pod);
      if (succeeded && !uncounted.failed?.includes(uid)) {
        if (!indexed) uncounted.succeeded = [...new Set([...(uncounted.succeeded ?? []), uid])];
        else if (index !== undefined) newIndexes = withIndexes(newIndexes, [index]);
      } else if (
        (failed || (verdict !== undefined && !verdict.success)) &&
        (!indexed || index !== undefined) &&
        matchFailurePolicy(job.spec!.podFailurePolicy, pod).counts
      ) {
        uncounted.failed = [...new Set([...(uncounted.failed ?? []), uid])];
      }
    }
    if (indexed) {
      this.#status.succeeded = sizeOf(newIndexes);
      this.#status.completedIndexes = formatIntervals(newIndexes);
      if (this.#failed !== undefined) this.#status.failedIndexes = formatIntervals(this.#failed);
    }
    return { release, all };
  }

  async #release(release: readonly Pod[], held: Set<string>): Promise<unknown> {
    const { context, memory } = this.#options;
    const results = await Promise.allSettled(release.map(async (pod) => {
      const uid = pod.metadata!.uid!;
      memory.released.add(uid);
      try {
        await releasePod(context, pod);
      } catch (error) {
        memory.released.delete(uid);
        throw error;
      }
      held.delete(uid);
    }));
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  async #write(): Promise<void> {
    const status = compact(this.#status);
    if (semanticEqual(status, this.#job.status) && this.#job.status !== undefined) return;
    const { namespace, name } = this.#job.metadata!;
    this.#job = await this.#options.context.transport.update<Job>(jobs, namespace, name!, { ...this.#job, status }, { subresource: 'status' });
    this.#options.wrote(this.#job);
  }
}

/** As on the wire: counters that are zero, and empty strings, are left out; `ready` and `terminating` are not. */
function compact(status: Writable<JobStatus>): JobStatus {
  const { active, succeeded, failed, completedIndexes, ...rest } = status;
  return { ...rest, ...(active && { active }), ...(succeeded && { succeeded }), ...(failed && { failed }), ...(completedIndexes && { completedIndexes }) };
}

/** Takes the tracking finalizer off a pod; one that is gone needs nothing. */
export async function releasePod({ transport }: Pick<ControllerContext, 'transport'>, pod: Pod): Promise<void> {
  const { namespace, name, uid, resourceVersion, finalizers = [] } = pod.metadata!;
  const rest = finalizers.filter((finalizer) => finalizer !== TRACKING);
  if (rest.length === finalizers.length) return;
  const others = rest.length > 0;
  try {
    // Where others hold it as well their finalizers must not be overwritten: then the version must be the one that was read.
    await transport.patch(podResource, namespace, name!, 'merge', { metadata: { uid, ...(others && { resourceVersion }), finalizers: others ? rest : null } });
  } catch (error) {
    if (!isCode(error, 'not-found')) throw error;
  }
}
