import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { RecentWrites } from '../../../client/recent-writes.ts';
import { cronJobs, jobs } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { CronJob, CronJobStatus, Job } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { ObjectReference } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { semanticEqual } from '../shared/equal.ts';
import { BY_CONTROLLER, byController, controllerOf, controllerReference, isControlledBy } from '../shared/owner.ts';
import { isNamespaceTerminating } from '../shared/pod-control.ts';
import { eventTarget } from '../shared/target.ts';
import { isFinished } from '../job/verdict.ts';
import { dueStart, nextStartIn } from './due.ts';
import { parseSchedule, type Schedule } from './schedule.ts';

const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/** Starts Jobs by the clock. Schedules without a time zone are in UTC. */
export class CronJobController implements RunningController {
  readonly #context: ControllerContext;
  readonly #cronJobs: Informer<CronJob>;
  readonly #jobs: Informer<Job>;
  readonly #writes: RecentWrites<CronJob>;
  readonly #controller: Controller;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#cronJobs = context.informers.for<CronJob>(cronJobs);
    this.#jobs = context.informers.for<Job>(jobs);
    this.#jobs.addIndex(BY_CONTROLLER, byController);
    this.#writes = new RecentWrites(this.#cronJobs, context.clock);
    this.#controller = new Controller({
      name: 'cronjob-controller', clock: context.clock, logger: context.logger, informers: [this.#cronJobs, this.#jobs], sync: (key) => this.#sync(key),
      resync: () => {
        for (const key of this.#cronJobs.store.keys()) this.#controller.enqueue(key);
      },
    });
    this.#controller.watch(this.#cronJobs);
    this.#controller.watch(this.#jobs, (job) => {
      const owner = controllerOf(job);
      return owner?.kind === 'CronJob' ? [`${job.metadata!.namespace}/${owner.name}`] : [];
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #event(cronJob: CronJob, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(eventTarget(cronJobs, cronJob), type, reason, message);
  }

  async #sync(key: string): Promise<void> {
    const cached = this.#cronJobs.store.get(key);
    if (cached === undefined) return;
    const cronJob = this.#writes.over([cached], () => false)[0]!;
    const own = [...this.#jobs.store.byIndex(BY_CONTROLLER, cronJob.metadata!.uid!)];
    let status = await this.#account(cronJob, own);
    let failure: unknown;
    if (cronJob.metadata!.deletionTimestamp === undefined && !cronJob.spec!.suspend) {
      const schedule = this.#schedule(cronJob);
      if (schedule !== undefined) {
        try {
          status = await this.#startIfDue(cronJob, schedule, status);
        } catch (error) {
          failure = error; // what was noted so far is written all the same
        }
        this.#lookAgain(key, cronJob, schedule, status);
      }
    }
    await this.#prune(cronJob, own);
    if (!semanticEqual(status, cronJob.status)) {
      const written = await this.#context.transport.update<CronJob>(
        cronJobs,
        cronJob.metadata!.namespace,
        cronJob.metadata!.name!,
        { ...cronJob, status },
        { subresource: 'status' },
      );
      this.#writes.note(written, this.#cronJobs.store.get(key));
    }
    if (failure !== undefined) throw failure;
  }

  #schedule(cronJob: CronJob): Schedule | undefined {
    const { schedule, timeZone } = cronJob.spec!;
    try {
      return parseSchedule(schedule, timeZone ?? 'UTC');
    } catch (error) {
      // Nothing helps but a change by the user, which wakes this again.
      const zone = messageOf(error).startsWith('unknown time zone');
      this.#event(
        cronJob,
        'Warning',
        zone ? 'UnknownTimeZone' : 'UnparseableSchedule',
        zone ? `invalid timeZone: "${timeZone}": ${messageOf(error)}` : `unparseable schedule: "${schedule}" : ${messageOf(error)}`,
      );
      return undefined;
    }
  }

  #lookAgain(key: string, cronJob: CronJob, schedule: Schedule, status: CronJobStatus): void {
    try {
      const waitMs = nextStartIn({ ...cronJob, status }, schedule, this.#context.clock.now());
      if (waitMs !== undefined) this.#controller.enqueueAfter(key, waitMs);
    } catch (error) {
      this.#event(cronJob, 'Warning', 'InvalidSchedule', `invalid schedule: ${cronJob.spec!.schedule} : ${messageOf(error)}`);
    }
  }

  /** Brings the list of active Jobs, and the time of the last success, up to date. */
  async #account(cronJob: CronJob, own: readonly Job[]): Promise<CronJobStatus> {
    const { active = [], lastSuccessfulTime, ...rest } = cronJob.status ?? {};
    let successMs = lastSuccessfulTime === undefined ? undefined : Date.parse(lastSuccessfulTime);
    const byUid = new Map(own.map((job) => [job.metadata!.uid, job]));
    const stillActive: ObjectReference[] = [];
    for (const reference of active) {
      const job = byUid.get(reference.uid) ?? (await this.#find(reference));
      if (job === undefined) {
        this.#event(cronJob, 'Normal', 'MissingJob', `Active job went missing: ${reference.name}`);
      } else if (isFinished(job)) {
        this.#event(cronJob, 'Normal', 'SawCompletedJob', `Saw completed job: ${reference.name}, condition: ${outcome(job)}`);
      } else {
        stillActive.push(reference);
      }
    }
    for (const job of own) {
      if (!isFinished(job) && !active.some(({ uid }) => uid === job.metadata!.uid)) {
        this.#event(cronJob, 'Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${job.metadata!.name}`);
      }
      const endMs = outcome(job) === 'Complete' ? Date.parse(job.status?.completionTime ?? '') : Number.NaN;
      if (!Number.isNaN(endMs)) successMs = Math.max(successMs ?? endMs, endMs);
    }
    return { ...rest, ...(stillActive.length > 0 && { active: stillActive }), ...(successMs !== undefined && { lastSuccessfulTime: rfc3339(successMs) }) };
  }

  async #find({ namespace, name, uid }: ObjectReference): Promise<Job | undefined> {
    try {
      const job = await this.#context.transport.get<Job>(jobs, namespace, name!);
      return job.metadata!.uid === uid ? job : undefined;
    } catch (error) {
      if (isCode(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #startIfDue(cronJob: CronJob, schedule: Schedule, status: CronJobStatus): Promise<CronJobStatus> {
    const nowMs = this.#context.clock.now();
    const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec!;
    let due;
    try {
      due = dueStart(cronJob, schedule, nowMs, true);
    } catch {
      return status; // the search for the next start says it
    }
    if (due.atMs === undefined) return status;
    if (due.manyMissed) {
      this.#event(
        cronJob,
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      );
    }
    const { atMs } = due;
    if (startingDeadlineSeconds !== undefined && atMs + startingDeadlineSeconds * 1000 < nowMs) {
      this.#event(cronJob, 'Warning', 'MissSchedule', `Missed scheduled time to start a job: ${new Date(atMs).toUTCString()}`);
      return status;
    }
    const name = `${cronJob.metadata!.name}-${Math.floor(atMs / 60_000)}`;
    const { active = [], lastScheduleTime } = status;
    if (active.some((reference) => reference.name === name) || (lastScheduleTime !== undefined && Date.parse(lastScheduleTime) === atMs)) {
      return status;
    }
    if (active.length > 0 && concurrencyPolicy === 'Forbid') {
      this.#event(cronJob, 'Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid');
      return status;
    }
    if (concurrencyPolicy === 'Replace') for (const reference of active) await this.#deleteJob(cronJob, reference);
    const job = await this.#createJob(cronJob, schedule, name, atMs);
    if (job === undefined) return status;
    const reference: ObjectReference = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      namespace: job.metadata!.namespace!,
      name,
      uid: job.metadata!.uid!,
      resourceVersion: job.metadata!.resourceVersion!,
    };
    return { ...status, active: [...(concurrencyPolicy === 'Replace' ? [] : active), reference], lastScheduleTime: rfc3339(atMs) };
  }

  /** The name stands for the start, so that a second try finds the first one's Job. */
  async #createJob(cronJob: CronJob, schedule: Schedule, name: string, atMs: number): Promise<Job | undefined> {
    const { transport } = this.#context;
    const { namespace } = cronJob.metadata!;
    const template = cronJob.spec!.jobTemplate;
    const body: Job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        namespace: namespace!,
        ...(template.metadata?.labels && { labels: template.metadata.labels }),
        annotations: { ...template.metadata?.annotations, [SCHEDULED]: schedule.zone.format(atMs) },
        ownerReferences: [controllerReference(cronJobs, cronJob)],
      },
      ...(template.spec && { spec: template.spec }),
    };
    try {
      const made = await transport.create<Job>(jobs, namespace, body);
      this.#event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
      return made;
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      if (isCode(error, 'already-exists')) {
        const present = await transport.get<Job>(jobs, namespace, name);
        return isControlledBy(present, cronJob) ? present : undefined;
      }
      this.#event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
      throw error;
    }
  }

  async #deleteJob(cronJob: CronJob, { namespace, name, uid }: Pick<ObjectReference, 'namespace' | 'name' | 'uid'>): Promise<void> {
    try {
      await this.#context.transport.delete(jobs, namespace, name!, { propagationPolicy: 'Background', preconditions: { uid: uid! } });
    } catch (error) {
      if (isCode(error, 'not-found')) return;
      this.#event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`);
      throw error;
    }
    this.#event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }

  /** Deletes the oldest finished Jobs beyond the limits. */
  async #prune(cronJob: CronJob, own: readonly Job[]): Promise<void> {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec!;
    const age = (job: Job): string => `${job.status?.startTime ?? '9'} ${job.metadata!.name}`;
    for (const [kind, limit] of [
      ['Complete', successfulJobsHistoryLimit],
      ['Failed', failedJobsHistoryLimit],
    ] as const) {
      const finished = own
        .filter((job) => outcome(job) === kind && job.metadata!.deletionTimestamp === undefined)
        .toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
      for (const { metadata } of finished.slice(0, Math.max(finished.length - limit, 0))) {
        await this.#deleteJob(cronJob, { namespace: metadata!.namespace!, name: metadata!.name!, uid: metadata!.uid! });
      }
    }
  }
}

function outcome(job: Job): string | undefined {
  return job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')?.type;
}
