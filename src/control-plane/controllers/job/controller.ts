import { Controller } from '../../../client/controller.ts';
import { Expectations } from '../../../client/expectations.ts';
import type { Informer } from '../../../client/informer.ts';
import { labelMatcher } from '../../../client/label-selector.ts';
import { objectKey } from '../../../client/object-key.ts';
import { RecentWrites } from '../../../client/recent-writes.ts';
import { jobs, pods } from '../../../client/resources.ts';
import type { Job } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { claim } from '../shared/claim.ts';
import { OwnedPods } from '../shared/owned-pods.ts';
import { controllerOf } from '../shared/owner.ts';
import { PodControl } from '../shared/pod-control.ts';
import { NO_FAILURES } from './backoff.ts';
import { isTracked, TRACKING } from './pods.ts';
import { JobSync, releasePod, type JobMemory } from './sync.ts';
import { isFinished } from './verdict.ts';

const MANAGER = 'kubernetes.io/job-controller';

/** Runs pods until as many have succeeded as a Job asks for. */
export class JobController implements RunningController {
  readonly #context: ControllerContext;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;
  readonly #owned: OwnedPods<Job>;
  readonly #control: PodControl;
  readonly #expectations: Expectations;
  readonly #writes: RecentWrites<Job>;
  readonly #controller: Controller;
  /** Pods that wait for a Job that is gone or finished. */
  readonly #orphans: Controller;
  readonly #memories = new Map<string, JobMemory>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#jobs = context.informers.for<Job>(jobs);
    this.#pods = context.informers.for<Pod>(pods);
    this.#control = new PodControl(context.transport, context.events, jobs);
    this.#expectations = new Expectations(context.clock);
    this.#writes = new RecentWrites(this.#jobs, context.clock);
    const base = { clock: context.clock, logger: context.logger, informers: [this.#jobs, this.#pods] };
    this.#controller = new Controller({
      ...base, name: 'job-controller', workers: 8, sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#jobs.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#orphans = new Controller({
      ...base, name: 'job-controller-orphans', workers: 8, sync: (key) => this.#releaseOrphan(key),
      resync: () => {
        for (const key of this.#pods.store.keys()) this.#orphans.enqueue(key);
      },
    });
    this.#jobs.on({
      add: (job) => this.#jobChanged(job),
      update: (_old, job) => this.#jobChanged(job),
      delete: (job) => {
        this.#forget(job);
        this.#wakeOrphansOf(job);
      },
    });
    this.#owned = new OwnedPods({
      pods: this.#pods,
      owners: this.#jobs,
      kind: 'Job',
      matcher: (job) => labelMatcher(job.spec!.selector),
      expectations: this.#expectations,
      enqueue: (key) => this.#controller.enqueue(key),
    });
    this.#pods.on({
      add: (pod) => this.#podChanged(pod),
      update: (_old, pod) => this.#podChanged(pod),
      delete: (pod) => this.#memoryOf(pod)?.released.delete(pod.metadata!.uid!),
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#controller.start(), this.#orphans.start()]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#controller.stop(), this.#orphans.stop()]);
  }

  #jobChanged(job: Job): void {
    this.#controller.enqueue(objectKey(job));
    if (isFinished(job)) this.#wakeOrphansOf(job);
  }

  #forget(job: Job): void {
    this.#memories.delete(job.metadata!.uid!);
    this.#expectations.forget(objectKey(job));
  }

  #wakeOrphansOf(job: Job): void {
    for (const pod of this.#owned.of(job)) if (isTracked(pod)) this.#orphans.enqueue(objectKey(pod));
  }

  #memoryOf(pod: Pod): JobMemory | undefined {
    return this.#memories.get(controllerOf(pod)?.uid ?? '');
  }

  #podChanged(pod: Pod): void {
    if (!isTracked(pod)) {
      this.#memoryOf(pod)?.released.delete(pod.metadata!.uid!);
      return;
    }
    if (this.#isOrphan(pod)) this.#orphans.enqueue(objectKey(pod));
  }

  /** Held for a Job that will not count it any more. */
  #isOrphan(pod: Pod): boolean {
    const reference = controllerOf(pod);
    if (reference === undefined) return true;
    if (reference.kind !== 'Job') return false;
    const job = this.#jobs.store.get(`${pod.metadata!.namespace}/${reference.name}`);
    if (job?.metadata?.uid !== reference.uid) return true;
    return isFinished(job) && !isManagedElsewhere(job);
  }

  async #releaseOrphan(key: string): Promise<void> {
    const pod = this.#pods.store.get(key);
    if (pod !== undefined && isTracked(pod) && this.#isOrphan(pod)) await releasePod(this.#context, pod);
  }

  async #sync(key: string): Promise<void> {
    const cached = this.#jobs.store.get(key);
    if (cached === undefined || isManagedElsewhere(cached)) return;
    const job = this.#writes.over([cached], () => false)[0]!;
    if (isFinished(job)) return this.#forget(job);
    if (job.spec!.completionMode !== undefined && job.spec!.completionMode !== 'NonIndexed' && job.spec!.completionMode !== 'Indexed') {
      this.#context.events.event(
        { apiVersion: 'batch/v1', kind: 'Job', metadata: job.metadata! },
        'Warning',
        'UnknownCompletionMode',
        'Skipped Job sync because completion mode is unknown',
      );
      return;
    }
    const satisfied = this.#expectations.satisfied(key);
    const claimed = await this.#claim(job);
    const memory = this.#memories.get(job.metadata!.uid!) ?? { record: NO_FAILURES, released: new Set() };
    this.#memories.set(job.metadata!.uid!, memory);
    const sync = new JobSync({
      context: this.#context, control: this.#control, memory,
      expect: (creations, deletions) => this.#expectations.expect(key, creations, deletions),
      created: () => this.#expectations.created(key), deleted: (uid) => this.#expectations.deleted(key, uid),
      wrote: (written) => this.#writes.note(written, this.#jobs.store.get(key)),
    }, job, claimed);
    await sync.run(satisfied);
    if (sync.lookAgainMs !== undefined) this.#controller.enqueueAfter(key, sync.lookAgainMs);
  }

  /** The Job's pods; those that are adopted get the tracking finalizer with their owner. */
  #claim(job: Job): Promise<Pod[]> {
    return claim<Pod>({
      transport: this.#context.transport, ownerResource: jobs, resource: pods, owner: job, matches: labelMatcher(job.spec!.selector), finalizer: TRACKING,
    }, [...this.#owned.of(job), ...this.#owned.orphansFor(job)]);
  }
}

function isManagedElsewhere(job: Job): boolean {
  return job.spec!.managedBy !== undefined && job.spec!.managedBy !== MANAGER;
}
