import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { cronJobs, jobs } from '../../../client/resources.ts';
import { rfc3339 } from '../../../lib/clock.ts';
import type { CronJob, CronJobSpec, Job } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { CronJobController } from './controller.ts';

const create = (context: ControllerContext) => new CronJobController(context);
const MINUTE = 60_000;
const own = (harness: Harness): Job[] => harness.api.all<Job>(jobs);
const current = (harness: Harness): CronJob => harness.api.all<CronJob>(cronJobs)[0]!;

async function started(spec: Partial<CronJobSpec> = {}): Promise<Harness> {
  const harness = new Harness();
  await harness.start(create);
  await harness.api.create<CronJob>(cronJobs, 'default', {
    metadata: { name: 'tick' },
    spec: {
      schedule: '*/10 * * * *',
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: { spec: { containers: [] } } } },
      ...spec,
    },
  });
  await settle();
  return harness;
}

function finish(harness: Harness, job: Job, type: 'Complete' | 'Failed'): void {
  const now = rfc3339(harness.clock.now());
  harness.api.edit<Job>(
    jobs,
    'default',
    job.metadata!.name!,
    (copy) =>
      (copy.status = { startTime: now, ...(type === 'Complete' && { completionTime: now }), conditions: [{ type, status: 'True' }] }),
  );
}

test('a job at each start, named after it, and the status tells which run and ran', async () => {
  const harness = await started();
  await harness.clock.advance(9 * MINUTE);
  assert.equal(own(harness).length, 0);
  await harness.clock.advance(2 * MINUTE);
  const [job] = own(harness);
  const minutes = Date.UTC(2025, 0, 1, 0, 10) / MINUTE;
  assert.equal(job!.metadata!.name, `tick-${minutes}`);
  assert.deepEqual(job!.metadata!.labels, { a: 'b' });
  assert.equal(job!.metadata!.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp'], '2025-01-01T00:10:00Z');
  assert.equal(job!.metadata!.ownerReferences![0]!.name, 'tick');
  assert.equal(current(harness).status!.lastScheduleTime, '2025-01-01T00:10:00Z');
  assert.deepEqual(current(harness).status!.active!.map(({ name }) => name), [job!.metadata!.name]);
  finish(harness, job!, 'Complete');
  await settle();
  assert.deepEqual(current(harness).status, { lastScheduleTime: '2025-01-01T00:10:00Z', lastSuccessfulTime: '2025-01-01T00:11:00Z' });
  assert.deepEqual(harness.events, [
    `CronJob/tick Normal SuccessfulCreate Created job ${job!.metadata!.name}`,
    `CronJob/tick Normal SawCompletedJob Saw completed job: ${job!.metadata!.name}, condition: Complete`,
  ]);
  await harness.clock.advance(20 * MINUTE);
  assert.equal(own(harness).length, 3);
  await harness.stop();
});

test('Forbid waits for the one that runs, Replace ends it', async () => {
  const forbid = await started({ concurrencyPolicy: 'Forbid' });
  await forbid.clock.advance(25 * MINUTE);
  assert.equal(own(forbid).length, 1);
  assert.ok(
    forbid.events.includes(
      'CronJob/tick Normal JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid',
    ),
  );
  finish(forbid, own(forbid)[0]!, 'Complete');
  await settle();
  assert.equal(own(forbid).length, 2, 'the one that was due is started late');
  await forbid.stop();
  const replace = await started({ concurrencyPolicy: 'Replace' });
  await replace.clock.advance(11 * MINUTE);
  const [first] = own(replace);
  await replace.clock.advance(10 * MINUTE);
  assert.equal(own(replace).length, 1);
  assert.notEqual(own(replace)[0]!.metadata!.uid, first!.metadata!.uid);
  assert.ok(replace.events.includes(`CronJob/tick Normal SuccessfulDelete Deleted job ${first!.metadata!.name}`));
  await replace.stop();
});

test('finished jobs are kept up to the limits; a suspended one starts nothing', async () => {
  const harness = await started({ schedule: '* * * * *', successfulJobsHistoryLimit: 2 });
  for (let n = 0; n < 6; n++) {
    await harness.clock.advance(MINUTE + 200);
    for (const job of own(harness)) if (!job.status) finish(harness, job, n % 2 ? 'Failed' : 'Complete');
    await settle();
  }
  const kinds = own(harness).map(({ status }) => status?.conditions?.[0]?.type);
  assert.equal(kinds.filter((kind) => kind === 'Complete').length, 2);
  assert.equal(kinds.filter((kind) => kind === 'Failed').length, 1);
  harness.api.edit<CronJob>(cronJobs, 'default', 'tick', (copy) => (copy.spec!.suspend = true));
  const count = own(harness).length;
  await harness.clock.advance(10 * MINUTE);
  assert.equal(own(harness).length, count);
  await harness.stop();
});

test('after a long outage the latest start is made up, once, unless it is too late for it', async () => {
  const harness = new Harness();
  await harness.api.create<CronJob>(cronJobs, 'default', {
    metadata: { name: 'tick' },
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: {} } } },
  });
  await harness.clock.advance(1000 * MINUTE + 30_000);
  await harness.start(create);
  assert.deepEqual(own(harness).map(({ metadata }) => metadata!.name), [`tick-${Math.floor(harness.clock.now() / MINUTE)}`]);
  assert.ok(harness.events.some((event) => event.includes('TooManyMissedTimes')));
  await harness.stop();
  const late = new Harness();
  await late.api.create<CronJob>(cronJobs, 'default', {
    metadata: { name: 'tick' },
    spec: { schedule: '0 * * * *', startingDeadlineSeconds: 60, jobTemplate: { spec: { template: {} } } },
  });
  await late.clock.advance(90 * MINUTE);
  await late.start(create);
  assert.equal(own(late).length, 0);
  await late.clock.advance(31 * MINUTE);
  assert.equal(own(late).length, 1);
  await late.stop();
});

test('a start is never made twice, and mistakes are told', async () => {
  const harness = await started();
  harness.api.fail = (verb, resource) => (verb === 'update' && resource === 'cronjobs/status' ? new Error('the status could not be written') : undefined);
  await harness.clock.advance(10 * MINUTE + 500);
  harness.api.fail = () => undefined;
  await harness.clock.advance(MINUTE);
  assert.equal(own(harness).length, 1);
  assert.equal(current(harness).status!.active!.length, 1);
  await harness.stop();
  const bad = await started({ schedule: 'often', timeZone: 'UTC' });
  assert.deepEqual(bad.events.slice(0, 1), [
    'CronJob/tick Warning UnparseableSchedule unparseable schedule: "often" : expected exactly 5 fields, found 1: [often]',
  ]);
  await bad.stop();
});
