import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { jobs } from '../../../client/resources.ts';
import { isCode } from '../../../lib/errors.ts';
import type { Job } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { finishTime } from './verdict.ts';

/** Deletes finished Jobs, with their pods, ttlSecondsAfterFinished later. */
export class TtlAfterFinishedController implements RunningController {
  readonly #context: ControllerContext;
  readonly #jobs: Informer<Job>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#jobs = context.informers.for<Job>(jobs);
    this.#controller = new Controller({
      name: 'ttl-after-finished-controller', clock: context.clock, logger: context.logger, informers: [this.#jobs], sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#jobs.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#controller.watch(this.#jobs);
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  async #sync(key: string): Promise<void> {
    const leftMs = this.#left(this.#jobs.store.get(key));
    if (leftMs === undefined) return;
    if (leftMs > 0) return this.#controller.enqueueAfter(key, leftMs);
    const { namespace, name, uid } = this.#jobs.store.get(key)!.metadata!;
    try {
      // The time to live may have been raised just now: the newest state decides.
      const fresh = await this.#context.transport.get<Job>(jobs, namespace, name!);
      if (fresh.metadata!.uid !== uid) return;
      const stillMs = this.#left(fresh);
      if (stillMs === undefined) return;
      if (stillMs > 0) return this.#controller.enqueueAfter(key, stillMs);
      await this.#context.transport.delete(jobs, namespace, name!, {
        propagationPolicy: 'Foreground',
        preconditions: { uid: uid!, resourceVersion: fresh.metadata!.resourceVersion! },
      });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }

  /** Milliseconds left to live; undefined when that is not limited. */
  #left(job: Job | undefined): number | undefined {
    const ttl = job?.spec?.ttlSecondsAfterFinished;
    if (job === undefined || ttl === undefined || job.metadata!.deletionTimestamp !== undefined) return undefined;
    const finishedMs = finishTime(job);
    return finishedMs === undefined ? undefined : Math.max(finishedMs + ttl * 1000 - this.#context.clock.now(), 0);
  }
}
