import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodSpec } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus, PodSandboxStatus } from '../cri/cri.ts';
import { planPod, type HealthView, type PodPlan } from './plan.ts';
import { podStatus } from './status.ts';
import type { ContainerView, PodView } from './view.ts';

const NOW = 1_000_000;
const pod = (spec: Partial<PodSpec>, status: Pod['status'] = {}): Pod => ({
  metadata: { name: 'p', namespace: 'default', uid: 'u' },
  spec: { containers: [{ name: 'app', image: 'i' }], ...spec },
  status,
});

const sandbox: PodSandboxStatus = {
  id: 's', metadata: { name: 'p', uid: 'u', namespace: 'default', attempt: 0 }, state: 'SANDBOX_READY', createdAt: 0n, labels: {}, annotations: {},
  network: { ip: '10.42.0.9', additionalIps: [] }, namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
};

const run = (name: string, state: 'running' | number, attempt = 0): CriContainerStatus => ({
  id: `${name}-${attempt}`, metadata: { name, attempt }, image: 'i', imageRef: 'sha256:1', imageId: 'sha256:1', createdAt: 0n, labels: {}, annotations: {},
  state: state === 'running' ? 'CONTAINER_RUNNING' : 'CONTAINER_EXITED', startedAt: 1_000_000n, finishedAt: state === 'running' ? 0n : 5_000_000_000n,
  exitCode: state === 'running' ? 0 : state, reason: state === 0 ? 'Completed' : 'Error', message: '', mounts: [], logPath: '',
});

const view = (...runs: CriContainerStatus[]): PodView => ({
  sandbox, olderSandboxes: [], emptySandboxes: [], stale: [],
  containers: new Map(runs.map((latest): [string, ContainerView] => [latest.metadata.name, { latest, previous: undefined }])),
});

const healthy: HealthView = { started: () => true, mustRestart: () => undefined };
const plan = (each: Pod, seen: PodView, backoff: (name: string) => number | undefined = () => undefined, health = healthy): PodPlan =>
  planPod(each, seen, health, { readyAt: backoff }, NOW);
const starts = ({ start }: PodPlan): string[] => start.map(({ container, attempt }) => `${container.name}#${attempt}`);

test('a new pod needs a sandbox before anything else, and a broken one a younger sandbox', () => {
  const fresh = plan(pod({}), { ...view(), sandbox: undefined });
  assert.equal(fresh.sandbox, 0);
  assert.deepEqual(fresh.start, []);
  assert.equal(plan(pod({}), { ...view(), sandbox: { ...sandbox, state: 'SANDBOX_NOTREADY' } }).sandbox, 1);
});

test('init containers run one after the other, and the others after them', () => {
  const each = pod({ initContainers: [{ name: 'one' }, { name: 'two' }] });
  assert.deepEqual(starts(plan(each, view())), ['one#0']);
  assert.deepEqual(starts(plan(each, view(run('one', 'running')))), []);
  assert.deepEqual(starts(plan(each, view(run('one', 0)))), ['two#0']);
  const done = plan(each, view(run('one', 0), run('two', 0)));
  assert.deepEqual(starts(done), ['app#0']);
  assert.equal(done.initialized, true);
  // Their records may be gone while the app runs: they are not done again.
  assert.deepEqual(starts(plan(each, view(run('app', 'running')))), []);
});

test('a failed init container is tried again, or fails the pod where nothing restarts', () => {
  assert.deepEqual(starts(plan(pod({ initContainers: [{ name: 'one' }] }), view(run('one', 1)))), ['one#1']);
  assert.equal(plan(pod({ initContainers: [{ name: 'one' }], restartPolicy: 'Never' }), view(run('one', 1))).finished, 'Failed');
});

test('a side-car starts first, must have started before what follows, and comes back by itself', () => {
  const each = pod({ initContainers: [{ name: 'side', restartPolicy: 'Always' }, { name: 'init' }] });
  assert.deepEqual(starts(plan(each, view())), ['side#0']);
  assert.deepEqual(starts(plan(each, view(run('side', 'running')), undefined, { ...healthy, started: () => false })), []);
  assert.deepEqual(starts(plan(each, view(run('side', 'running')))), ['init#0']);
  assert.deepEqual(starts(plan(each, view(run('side', 1), run('init', 0), run('app', 'running')))), ['side#1']);
});

test('what ends is restarted as the policy says, and not before its back-off', () => {
  assert.deepEqual(starts(plan(pod({}), view(run('app', 0, 2)))), ['app#3']);
  const waits = plan(pod({}), view(run('app', 1, 2)), () => NOW + 10_000);
  assert.deepEqual(starts(waits), []);
  assert.deepEqual([...waits.backingOff], [['app', NOW + 10_000]]);
  assert.deepEqual(starts(plan(pod({}), view(run('app', 1, 2)), () => NOW)), ['app#3']);
  assert.deepEqual(starts(plan(pod({ restartPolicy: 'OnFailure' }), view(run('app', 1)))), ['app#1']);
});

test('what a crash of the agent left made but never run starts for the first time, whatever the policy', () => {
  const left = view({ ...run('app', 0, 2), state: 'CONTAINER_CREATED' });
  for (const restartPolicy of ['Always', 'OnFailure', 'Never'] as const) {
    assert.deepEqual(starts(plan(pod({ restartPolicy }), left, () => NOW + 1)), ['app#2']);
  }
  const ephemeral = pod({ ephemeralContainers: [{ name: 'look' }] });
  assert.deepEqual(starts(plan(ephemeral, view(run('app', 'running'), { ...run('look', 0), state: 'CONTAINER_CREATED' }))), ['look#0']);
  assert.deepEqual(starts(plan(ephemeral, view(run('app', 'running'), run('look', 0)))), []);
});

test('a pod that does not restart ends with its containers', () => {
  const two = { containers: [{ name: 'app' }, { name: 'b' }] };
  assert.equal(plan(pod({ ...two, restartPolicy: 'Never' }), view(run('app', 0), run('b', 'running'))).finished, undefined);
  assert.equal(plan(pod({ ...two, restartPolicy: 'Never' }), view(run('app', 0), run('b', 0))).finished, 'Succeeded');
  assert.equal(plan(pod({ ...two, restartPolicy: 'Never' }), view(run('app', 0), run('b', 3))).finished, 'Failed');
  assert.equal(plan(pod({ ...two, restartPolicy: 'OnFailure' }), view(run('app', 0), run('b', 0))).finished, 'Succeeded');
  assert.equal(plan(pod({ ...two, restartPolicy: 'OnFailure' }), view(run('app', 0), run('b', 3))).finished, undefined);
});

test('a new sandbox does again what the one before had done, and counts it', () => {
  const left = (...runs: CriContainerStatus[]): PodView => ({
    ...view(),
    containers: new Map(
      runs.map((latest): [string, ContainerView] => [latest.metadata.name, { latest, previous: undefined, older: true }]),
    ),
  });
  const each = pod({ initContainers: [{ name: 'init' }], containers: [{ name: 'app' }, { name: 'done' }], restartPolicy: 'OnFailure' });
  const before = left(run('init', 0), run('app', 137, 3), run('done', 0));
  assert.deepEqual(starts(plan(each, before)), ['init#1']);
  assert.deepEqual(
    starts(
      plan(each, { ...before, containers: new Map([...before.containers, ['init', { latest: run('init', 0, 1), previous: undefined }]]) }),
    ),
    ['app#4'],
  );
  assert.equal(plan({ ...each, spec: { ...each.spec!, restartPolicy: 'Never' } }, before).finished, 'Failed');
});

test("a container's own policy and rules come before the pod's", () => {
  const codes = (operator: string): object => ({ restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart', exitCodes: { operator, values: [42] } }] });
  const each = (container: object): Pod => pod({ containers: [{ name: 'app', ...container }], restartPolicy: 'Never' });
  assert.deepEqual(starts(plan(each(codes('In')), view(run('app', 42)))), ['app#1']);
  assert.equal(plan(each(codes('In')), view(run('app', 1))).finished, 'Failed');
  assert.deepEqual(starts(plan(each(codes('NotIn')), view(run('app', 1)))), ['app#1']);
  assert.equal(plan(each(codes('NotIn')), view(run('app', 42))).finished, 'Failed');
  assert.deepEqual(starts(plan(each({ restartPolicy: 'OnFailure' }), view(run('app', 1)))), ['app#1']);
  assert.equal(plan(pod({ containers: [{ name: 'app', restartPolicy: 'Never' }] }), view(run('app', 0))).finished, 'Succeeded');
});

test('a probe that gave up has its container killed, not restarted beside itself', () => {
  const result = plan(pod({}), view(run('app', 'running')), undefined, { ...healthy, mustRestart: () => 'liveness' });
  assert.deepEqual(result.kill, [{ container: 'app', id: 'app-0', why: 'liveness' }]);
  assert.deepEqual(starts(result), []);
});

const status = (each: Pod, seen: PodView, more: Partial<Parameters<typeof podStatus>[0]> = {}): ReturnType<typeof podStatus> => podStatus({
  pod: each, view: seen, plan: plan(each, seen), waiting: new Map(), started: () => true, ready: () => true, nodeAddress: '192.0.2.1', nowMs: NOW, ...more,
});
const condition = (each: ReturnType<typeof podStatus>, type: string): string | undefined => each.conditions?.find((one) => one.type === type)?.status;

test('the status tells what runs, where, and whether it is ready', () => {
  const running = status(pod({}), view(run('app', 'running', 1)));
  assert.equal(running.phase, 'Running');
  assert.equal(running.podIP, '10.42.0.9');
  assert.deepEqual(
    running.containerStatuses!.map(({ ready, restartCount, started }) => ({ ready, restartCount, started })),
    [{ ready: true, restartCount: 1, started: true }],
  );
  assert.equal(condition(running, 'Ready'), 'True');
  const unready = status(pod({}), view(run('app', 'running')), { ready: () => false });
  assert.equal(condition(unready, 'Ready'), 'False');
  assert.equal(unready.conditions!.find(({ type }) => type === 'Ready')!.message, 'containers with unready status: [app]');
  assert.equal(condition(unready, 'Initialized'), 'True');
});

test('a container that waits for its next try shows why, and how it ended', () => {
  const looping = status(pod({}), view(run('app', 7, 3)), { waiting: new Map([['app', { reason: 'CrashLoopBackOff', message: 'back-off' }]]) });
  const [app] = looping.containerStatuses!;
  assert.equal(app!.state!.waiting!.reason, 'CrashLoopBackOff');
  assert.equal(app!.lastState!.terminated!.exitCode, 7);
  assert.equal(app!.restartCount, 3);
  assert.equal(looping.phase, 'Running');
});

test('nothing started yet is Pending, and a finished pod is not ready', () => {
  const fresh = pod({});
  assert.equal(status(fresh, view()).phase, 'Pending');
  assert.equal(status(fresh, view()).containerStatuses![0]!.state!.waiting!.reason, 'ContainerCreating');
  const done = status(pod({ restartPolicy: 'Never' }), view(run('app', 0)));
  assert.equal(done.phase, 'Succeeded');
  assert.equal(condition(done, 'Ready'), 'False');
  assert.equal(done.conditions!.find(({ type }) => type === 'Ready')!.reason, 'PodCompleted');
});

test('the time of a condition changes with its status alone', () => {
  const first = status(pod({}), view(run('app', 'running')));
  const again = status(pod({}, first), view(run('app', 'running')), { nowMs: NOW + 60_000 });
  assert.deepEqual(again.conditions, first.conditions);
  const changed = status(pod({}, first), view(run('app', 'running')), { nowMs: NOW + 60_000, ready: () => false });
  assert.notEqual(
    changed.conditions!.find(({ type }) => type === 'Ready')!.lastTransitionTime,
    first.conditions!.find(({ type }) => type === 'Ready')!.lastTransitionTime,
  );
});
