import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, pod, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const ready = (...names: string[]): Promise<string> => ok('wait', '--for=condition=Ready', ...names.map((name) => `pod/${name}`), '--timeout=60s');
const ended = (name: string, phase: string): Promise<string> => ok('wait', `--for=jsonpath={.status.phase}=${phase}`, `pod/${name}`, '--timeout=60s');
const field = (name: string, path: string): Promise<string> => ok('get', 'pod', name, '-o', `jsonpath={${path}}`);
const remove = (...names: string[]): Promise<string> => ok('delete', 'pod', ...names, '--now');
const events = (name: string): Promise<string> => ok('get', 'events', '--field-selector', `involvedObject.name=${name}`);
const sh = (command: string): object => ({ image: 'busybox', command: ['sh', '-c', command] });
const restarts = async (name: string): Promise<number> => Number(await field(name, '.status.containerStatuses[0].restartCount'));
const share = { volumes: [{ name: 'v', emptyDir: {} }] };
const volumeMounts = [{ name: 'v', mountPath: '/v' }];

test('init containers run in order, side-cars beside what follows, and end last', async () => {
  await platform.apply(
    pod(
      'inits',
      {},
      {
        ...share,
        restartPolicy: 'Never',
        initContainers: [
          { name: 'first', ...sh('echo first >> /v/log'), volumeMounts },
          {
            name: 'side',
            ...sh('echo side >> /v/log; trap "echo side ends >> /v/log; cat /v/log; exit 0" TERM; while :; do sleep 0.1; done'),
            restartPolicy: 'Always',
            volumeMounts,
            startupProbe: { exec: { command: ['grep', 'side', '/v/log'] }, periodSeconds: 1 },
          },
          { name: 'second', ...sh('echo second >> /v/log'), volumeMounts },
        ],
        containers: [{ name: 'main', ...sh('echo main >> /v/log; sleep 1; echo main ends >> /v/log'), volumeMounts }],
      },
    ),
  );
  await ended('inits', 'Succeeded');
  assert.equal(await ok('logs', 'inits', '-c', 'side'), 'first\nside\nsecond\nmain\nmain ends\nside ends');
  assert.equal(await field('inits', '.status.initContainerStatuses[*].state.terminated.reason'), 'Completed Completed Completed');
  assert.match(await ok('get', 'pod', 'inits'), /0\/2 +Completed/);
  await remove('inits');
});

test('an init container that fails holds the others back, or fails the pod', async () => {
  await platform.apply(
    pod('stuck', sh('true'), { initContainers: [{ name: 'init', ...sh('exit 3') }] }),
    pod('failed', sh('true'), { restartPolicy: 'Never', initContainers: [{ name: 'init', ...sh('exit 4') }] }),
  );
  await ended('failed', 'Failed');
  assert.equal(await field('failed', '.status.initContainerStatuses[0].state.terminated.exitCode'), '4');
  assert.match(await ok('get', 'pod', 'failed'), /Init:Error/);
  await eventually('the other is tried again', async () => /Init:CrashLoopBackOff/.test(await ok('get', 'pod', 'stuck')));
  assert.equal(await field('stuck', '.status.phase'), 'Pending');
  assert.equal(await field('stuck', '.status.conditions[?(@.type=="Initialized")].message'), 'containers with incomplete status: [init]');
  await remove('stuck', 'failed');
});

test('last words: the message file, another path, the end of the log', async () => {
  await platform.apply(...[
    ['plain', sh('echo gone > /dev/termination-log; exit 1')],
    ['other', { ...sh('echo elsewhere > /tmp/words; exit 1'), terminationMessagePath: '/tmp/words' }],
    ['log', { ...sh('for i in $(seq 200); do echo line $i; done; exit 1'), terminationMessagePolicy: 'FallbackToLogsOnError' }],
    ['well', { ...sh('echo line; exit 0'), terminationMessagePolicy: 'FallbackToLogsOnError' }],
  ].map(([name, container]) => pod(name as string, container as object, { restartPolicy: 'Never' })));
  const message = (name: string): Promise<string> => field(name, '.status.containerStatuses[0].state.terminated.message');
  for (const name of ['plain', 'other', 'log']) await ended(name, 'Failed');
  await ended('well', 'Succeeded');
  assert.equal(await message('plain'), 'gone');
  assert.equal(await message('other'), 'elsewhere');
  assert.match(await message('log'), /^line 121\n[^]*line 200\n?$/);
  assert.equal(await message('well'), '');
  await remove('plain', 'other', 'log', 'well');
});

test('postStart and preStop, by exec, HTTP and sleep', async () => {
  const server = sh(
    'mkdir -p /www/cgi-bin; printf "#!/bin/sh\\necho; echo asked >> /v/log" > /www/cgi-bin/hook; chmod +x /www/cgi-bin/hook; trap "echo term >> /v/log; exit 0" TERM; httpd -f -p 8080 -h /www & while :; do sleep 0.1; done',
  );
  await platform.apply(
    pod(
      'hooks',
      {},
      {
        ...share,
        terminationGracePeriodSeconds: 10,
        containers: [
          {
            name: 'main',
            ...server,
            volumeMounts,
            lifecycle: {
              postStart: { exec: { command: ['sh', '-c', 'echo started >> /v/log'] } },
              preStop: { httpGet: { path: '/cgi-bin/hook', port: 8080 } },
            },
          },
          {
            name: 'beside',
            ...sh('trap "sleep 2; cat /v/log; exit 0" TERM; while :; do sleep 0.1; done'),
            volumeMounts,
            lifecycle: { preStop: { sleep: { seconds: 1 } } },
          },
        ],
      },
    ),
    pod('unstarted', { ...sh('sleep 1000'), lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo no; exit 9'] } } } }),
  );
  await ready('hooks');
  const follow = platform.start('logs', '-f', 'hooks', '-c', 'beside');
  await ok('delete', 'pod', 'hooks');
  assert.match(await follow.until(/term/), /started\nasked\nterm/);
  await follow.stop();
  await eventually('the failed hook is told', async () => /FailedPostStartHook/.test(await events('unstarted')));
  await eventually('it was killed for it', async () => (await restarts('unstarted')) >= 1);
  await remove('unstarted');
});

test('grace: a process that heeds nothing is killed when it is over, and sooner when told so', async () => {
  const deaf = sh('trap "" TERM; while :; do sleep 0.1; done');
  await platform.apply(
    pod('deaf', deaf, { terminationGracePeriodSeconds: 2 }),
    pod('long', deaf, { terminationGracePeriodSeconds: 600 }),
    pod('force', deaf, { terminationGracePeriodSeconds: 600 }),
  );
  await ready('deaf', 'long', 'force');
  let begun = performance.now();
  await ok('delete', 'pod', 'deaf');
  const took = performance.now() - begun;
  assert.ok(took > 1900 && took < 15_000, `${took} ms`);
  await ok('delete', 'pod', 'long', '--wait=false');
  await eventually('it is leaving', async () => (await ok('get', 'pod', 'long')).includes('Terminating'));
  begun = performance.now();
  await ok('delete', 'pod', 'long', '--grace-period=1');
  await ok('delete', 'pod', 'force', '--grace-period=0', '--force');
  assert.ok(performance.now() - begun < 20_000);
});

test('a deletion cuts short what waits for a long grace: a failed probe, a deadline, a side-car that stays', async () => {
  const deaf = sh('trap "" TERM; while :; do sleep 0.1; done');
  const long = { terminationGracePeriodSeconds: 600 };
  await platform.apply(
    pod('probed', { ...deaf, livenessProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 } }, long),
    pod('overdue', deaf, { ...long, activeDeadlineSeconds: 1 }),
    pod('served', sh('sleep 0.5'), { ...long, restartPolicy: 'Never', initContainers: [{ name: 'side', ...deaf, restartPolicy: 'Always' }] }),
  );
  for (const name of ['probed', 'overdue', 'served']) {
    await eventually(`${name} is being stopped`, async () => /Killing/.test(await events(name)));
  }
  const begun = performance.now();
  await ok('delete', 'pod', 'probed', 'overdue', 'served', '--grace-period=1');
  assert.ok(performance.now() - begun < 20_000);
});

test('activeDeadlineSeconds ends the pod', async () => {
  await platform.apply(pod('late', sh('sleep 1000'), { activeDeadlineSeconds: 1 }));
  await ended('late', 'Failed');
  assert.equal(
    await ok('get', 'pod', 'late', '-o', 'jsonpath={.status.reason}: {.status.message}'),
    'DeadlineExceeded: Pod was active on the node longer than the specified deadline',
  );
  await remove('late');
});

test('restart policies, and the back-off that is shown', async () => {
  await platform.apply(
    pod('once', sh('exit 5'), { restartPolicy: 'Never' }),
    pod('until', { ...sh('test -e /v/x && exit 0; touch /v/x; exit 1'), volumeMounts }, { restartPolicy: 'OnFailure', ...share }),
    pod('loops', sh('exit 0')),
  );
  await ended('once', 'Failed');
  await ended('until', 'Succeeded');
  assert.equal(await restarts('until'), 1);
  await eventually('it backs off', async () => /CrashLoopBackOff/.test(await ok('get', 'pod', 'loops')));
  assert.match(
    await field('loops', '.status.containerStatuses[0].state.waiting.message'),
    /^back-off 10s restarting failed container=main pod=loops_default\([0-9a-f-]+\)$/,
  );
  assert.equal(await field('loops', '.status.phase'), 'Running');
  assert.match(await events('loops'), /Back-off restarting failed container main in pod loops_default/);
  await remove('once', 'until', 'loops');
});

test('startup, liveness and readiness probes by HTTP and TCP', async () => {
  const server = sh('mkdir /www; echo ok > /www/live; httpd -f -p 8080 -h /www');
  const quick = { periodSeconds: 1, failureThreshold: 1 };
  await platform.apply(
    pod('http', {
      ...server,
      ports: [{ name: 'web', containerPort: 8080 }],
      startupProbe: { httpGet: { path: '/live', port: 'web' }, periodSeconds: 1, failureThreshold: 30 },
      livenessProbe: { httpGet: { path: '/live', port: 'web', httpHeaders: [{ name: 'X-A', value: 'b' }] }, ...quick },
      readinessProbe: { httpGet: { path: '/ready', port: 8080 }, ...quick },
    }),
    pod('tcp', {
      ...server,
      readinessProbe: { tcpSocket: { port: 8080 }, ...quick },
      livenessProbe: { tcpSocket: { port: 8081 }, initialDelaySeconds: 2, ...quick },
    }),
    pod('grpc', { ...server, readinessProbe: { grpc: { port: 8080, service: 'x' }, ...quick } }),
  );
  await eventually('it has started', async () => (await field('http', '.status.containerStatuses[0].started')) === 'true');
  assert.equal(await field('http', '.status.containerStatuses[0].ready'), 'false');
  await eventually('it was told why it is not', async () => /Readiness probe failed: HTTP probe failed with statuscode: 404/.test(await events('http')));
  await ok('exec', 'http', '--', 'touch', '/www/ready');
  await ready('http');
  assert.equal(await restarts('http'), 0);
  await ok('exec', 'http', '--', 'rm', '/www/live');
  await eventually('it is restarted', async () => (await restarts('http')) >= 1);
  await eventually('a closed port restarts', async () => (await restarts('tcp')) >= 1);
  await eventually('it is told why', async () => /Liveness probe failed: dial tcp 10\.[0-9.]+:8081: connect: connection refused/.test(await events('tcp')));
  await eventually('what speaks no gRPC is not ready', async () => /Readiness probe failed/.test(await events('grpc')));
  assert.equal(await field('grpc', '.status.containerStatuses[0].ready'), 'false');
  await remove('http', 'tcp', 'grpc');
});
