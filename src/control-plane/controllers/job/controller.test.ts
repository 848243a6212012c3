import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { jobs, pods } from '../../../client/resources.ts';
import type { Job, JobSpec } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { JobController } from './controller.ts';
import { COMPLETION_INDEX, TRACKING } from './pods.ts';
import { TtlAfterFinishedController } from './ttl.ts';

const create = (context: ControllerContext) => new JobController(context);
const job = (spec: Partial<JobSpec> = {}): Job => ({
  metadata: { name: 'work', namespace: 'default' },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    selector: { matchLabels: { job: 'work' } },
    template: { metadata: { labels: { job: 'work' } }, spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'x' }] } },
    ...spec,
  },
});
const current = (harness: Harness): Job => harness.api.all<Job>(jobs)[0]!;
const conditions = (harness: Harness): string[] =>
  (current(harness).status?.conditions ?? []).map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);
const indexOf = (pod: Pod): number => Number(pod.metadata!.annotations![COMPLETION_INDEX]);

async function started(spec: Partial<JobSpec> = {}): Promise<Harness> {
  const harness = new Harness();
  await harness.start(create);
  await harness.api.create(jobs, 'default', job(spec));
  await settle(20);
  return harness;
}

test('as many pods as may run at once, until as many have succeeded as are wanted', async () => {
  const harness = await started({ parallelism: 2, completions: 5 });
  assert.equal(harness.pods().length, 2);
  assert.deepEqual(harness.pods()[0]!.metadata!.finalizers, [TRACKING]);
  assert.match(harness.pods()[0]!.metadata!.name!, /^work-[a-z0-9]{5}$/);
  for (let round = 0; round < 10 && harness.activePods().length > 0; round++) {
    assert.ok(harness.activePods().length <= 2);
    harness.finish(harness.activePods()[0]!, 'Succeeded');
    await settle(20);
  }
  const { startTime, completionTime, conditions: _, ...status } = current(harness).status!;
  assert.deepEqual(status, { succeeded: 5, ready: 0, terminating: 0, uncountedTerminatedPods: {} });
  assert.ok(startTime && completionTime);
  assert.deepEqual(conditions(harness), [
    'SuccessCriteriaMet=True CompletionsReached: Reached expected number of succeeded pods',
    'Complete=True CompletionsReached: Reached expected number of succeeded pods',
  ]);
  assert.ok(harness.events.includes('Job/work Normal Completed Job completed'));
  assert.equal(harness.pods().length, 5);
  assert.ok(harness.pods().every((pod) => !pod.metadata!.finalizers), 'counted pods are let go');
  const calls = harness.api.calls.length;
  await harness.clock.advance(3_600_000);
  assert.equal(harness.api.calls.length, calls);
  await harness.stop();
});

test('failures are tried again ever later, up to the limit', async () => {
  const harness = await started({ backoffLimit: 2 });
  const gaps: number[] = [];
  for (let failure = 0; failure < 3; failure++) {
    harness.finish(harness.activePods()[0]!, 'Failed');
    const start = harness.clock.now();
    await settle(20);
    while (
      harness.activePods().length === 0 &&
      !conditions(harness).some((condition) => condition.startsWith('Failed=True')) &&
      harness.clock.now() - start < 100_000
    ) {
      await harness.clock.advance(500);
    }
    gaps.push(harness.clock.now() - start);
  }
  assert.deepEqual(gaps, [10_000, 20_000, 0]);
  assert.deepEqual(conditions(harness), [
    'FailureTarget=True BackoffLimitExceeded: Job has reached the specified backoff limit',
    'Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit',
  ]);
  assert.equal(current(harness).status!.failed, 3);
  assert.ok(harness.events.includes('Job/work Warning BackoffLimitExceeded Job has reached the specified backoff limit'));
  await harness.stop();
});

test('a deadline ends it, and what runs with it', async () => {
  const harness = await started({ activeDeadlineSeconds: 30, parallelism: 3, completions: 3 });
  await harness.clock.advance(29_000);
  assert.equal(harness.activePods().length, 3);
  await harness.clock.advance(2000);
  assert.equal(harness.activePods().length, 0);
  assert.equal(conditions(harness).at(-1), 'Failed=True DeadlineExceeded: Job was active longer than specified deadline');
  assert.equal(current(harness).status!.failed, 3);
  await harness.stop();
});

test('indexed: each index once, with its name and number, and the done ones listed', async () => {
  const harness = await started({ completionMode: 'Indexed', completions: 4, parallelism: 3 });
  assert.deepEqual(harness.activePods().map(indexOf), [0, 1, 2]);
  const [first] = harness.activePods();
  assert.match(first!.metadata!.name!, /^work-0-[a-z0-9]{5}$/);
  assert.equal(first!.spec!.hostname, 'work-0');
  assert.equal(first!.metadata!.labels![COMPLETION_INDEX], '0');
  assert.deepEqual(first!.spec!.containers[0]!.env, [
    {
      name: 'JOB_COMPLETION_INDEX',
      valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
    },
  ]);
  harness.finish(harness.activePods()[2]!, 'Succeeded');
  harness.finish(harness.activePods()[0]!, 'Succeeded');
  await settle(20);
  assert.equal(current(harness).status!.completedIndexes, '0,2');
  assert.deepEqual(harness.activePods().map(indexOf).toSorted((a, b) => a - b), [1, 3]);
  harness.finish(harness.activePods()[0]!, 'Failed');
  await harness.clock.advance(11_000);
  assert.deepEqual(harness.activePods().map(indexOf).toSorted((a, b) => a - b), [1, 3]);
  for (const pod of harness.activePods()) harness.finish(pod, 'Succeeded');
  await settle(20);
  assert.equal(current(harness).status!.completedIndexes, '0-3');
  assert.equal(current(harness).status!.failed, 1);
  assert.match(conditions(harness).at(-1)!, /^Complete=True/);
  await harness.stop();
});

test('a limit for each index: one that is exhausted fails, the others go on', async () => {
  const harness = await started({ completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 1, backoffLimit: 2 ** 31 - 1 });
  const ofIndex = (index: number): Pod | undefined => harness.activePods().find((pod) => indexOf(pod) === index);
  harness.finish(ofIndex(0)!, 'Failed');
  await settle(20);
  assert.equal(ofIndex(0), undefined);
  await harness.clock.advance(11_000);
  assert.equal(ofIndex(0)!.metadata!.annotations!['batch.kubernetes.io/job-index-failure-count'], '1');
  harness.finish(ofIndex(0)!, 'Failed');
  await harness.clock.advance(60_000);
  assert.equal(ofIndex(0), undefined);
  assert.equal(current(harness).status!.failedIndexes, '0');
  harness.finish(ofIndex(1)!, 'Succeeded');
  await settle(20);
  assert.equal(conditions(harness).at(-1), 'Failed=True FailedIndexes: Job has failed indexes');
  await harness.stop();
});

test('a success policy ends it early', async () => {
  const harness = await started({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy: { rules: [{ succeededIndexes: '1' }] } });
  harness.finish(harness.activePods()[1]!, 'Succeeded');
  await settle(20);
  await harness.runAll();
  assert.deepEqual(conditions(harness), [
    'SuccessCriteriaMet=True SuccessPolicy: Matched rules at index 0',
    'Complete=True SuccessPolicy: Matched rules at index 0',
  ]);
  assert.equal(harness.activePods().length, 0);
  await harness.stop();
});

test('a failure policy fails the job, or overlooks a failure', async () => {
  const policy = {
    rules: [
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } },
    ],
  };
  const harness = await started({ backoffLimit: 0, podFailurePolicy: policy });
  const [first] = harness.activePods();
  harness.finish(first!, 'Failed', 1);
  harness.api.edit<Pod>(pods, 'default', first!.metadata!.name!, (pod) => pod.status!.conditions!.push({ type: 'DisruptionTarget', status: 'True' }));
  await harness.clock.advance(30_000);
  assert.equal(harness.activePods().length, 1, 'a disruption does not count');
  assert.equal(current(harness).status!.failed, undefined);
  const [second] = harness.activePods();
  harness.finish(second!, 'Failed', 42);
  await settle(20);
  assert.equal(
    conditions(harness).at(-1),
    `Failed=True PodFailurePolicy: Container main for pod default/${second!.metadata!.name} failed with exit code 42 matching FailJob rule at index 1`,
  );
  await harness.stop();
});

test('suspended it has no pods; resumed it starts over, deadline included', async () => {
  const harness = await started({ suspend: true, parallelism: 2, completions: 2, activeDeadlineSeconds: 60 });
  assert.equal(harness.pods().length, 0);
  assert.deepEqual(conditions(harness), ['Suspended=True JobSuspended: Job suspended']);
  await harness.clock.advance(100_000);
  harness.api.edit<Job>(jobs, 'default', 'work', (copy) => (copy.spec!.suspend = false));
  await settle(20);
  assert.equal(harness.activePods().length, 2);
  assert.deepEqual(conditions(harness), ['Suspended=False JobResumed: Job resumed']);
  harness.api.edit<Job>(jobs, 'default', 'work', (copy) => (copy.spec!.suspend = true));
  await settle(20);
  assert.equal(harness.pods().length, 0);
  assert.equal(current(harness).status!.failed, undefined, 'suspension is no failure');
  assert.deepEqual(
    harness.events.filter((event) => !event.includes('pod')),
    ['Job/work Normal Suspended Job suspended', 'Job/work Normal Resumed Job resumed', 'Job/work Normal Suspended Job suspended'],
  );
  await harness.stop();
});

test('no outcome is lost or counted twice, though a pod is deleted right after it ended, or the controller restarts', async () => {
  const harness = await started({ parallelism: 4, completions: 4 });
  for (const pod of harness.activePods()) {
    harness.finish(pod, 'Succeeded');
    await harness.api.delete(pods, 'default', pod.metadata!.name!);
  }
  await settle(30);
  assert.equal(current(harness).status!.succeeded, 4);
  assert.equal(harness.pods().length, 0);
  assert.match(conditions(harness).at(-1)!, /^Complete=True/);
  await harness.stop();
  // A crash after uids were noted and before the finalizer went: the next one counts it once.
  const next = new Harness();
  await next.api.create(jobs, 'default', job({ completions: 2, parallelism: 2 }));
  const { uid } = current(next).metadata!;
  const make = (name: string, finalizers: string[]) =>
    next.api.create<Pod>(pods, 'default', {
      metadata: {
        name,
        labels: { job: 'work' },
        finalizers,
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'work', uid: uid!, controller: true }],
      },
      spec: { containers: [] },
      status: { phase: 'Succeeded' },
    });
  const noted = await make('noted', [TRACKING]);
  const released = await make('released', []);
  next.api.edit<Job>(
    jobs,
    'default',
    'work',
    (copy) => (copy.status = { uncountedTerminatedPods: { succeeded: [noted.metadata!.uid!, released.metadata!.uid!] } }),
  );
  await next.start(create);
  assert.equal(current(next).status!.succeeded, 2);
  assert.deepEqual(current(next).status!.uncountedTerminatedPods, {});
  assert.match(conditions(next).at(-1)!, /^Complete=True/);
  await next.stop();
});

test('the pods of a job that is gone are let go', async () => {
  const harness = await started();
  harness.api.remove(jobs, 'default', 'work');
  await settle(20);
  assert.equal(harness.pods()[0]!.metadata!.finalizers, undefined);
  await harness.stop();
});

test('finished jobs go when their time is over', async () => {
  const harness = new Harness();
  await harness.start(create, (context) => new TtlAfterFinishedController(context));
  await harness.api.create(jobs, 'default', job({ ttlSecondsAfterFinished: 60 }));
  await settle(20);
  harness.finish(harness.activePods()[0]!, 'Succeeded');
  await settle(20);
  await harness.clock.advance(59_000);
  assert.equal(current(harness).metadata!.deletionTimestamp, undefined);
  await harness.clock.advance(2000);
  assert.deepEqual(current(harness).metadata!.finalizers, ['foregroundDeletion']);
  await harness.stop();
});
