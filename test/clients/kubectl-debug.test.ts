import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, pod, runClient, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const field = (name: string, path: string): Promise<string> => ok('get', 'pod', name, '-o', `jsonpath={${path}}`);
/** kubectl on a terminal that types `lines` once something was written. */
const typed = (line: string, input: string): Promise<{ readonly code: number; readonly stdout: string }> =>
  runClient('script', ['-qefc', line, '/dev/null'], { ...platform.environment, TERM: 'xterm' }, { input, timeoutMs: 60_000 });

test('kubectl debug -it puts a shell beside a container, which sees its processes', async () => {
  await platform.apply(pod('app', { command: ['sh', '-c', 'touch /tmp/mark; exec sleep 1000'] }));
  await ok('wait', '--for=condition=Ready', 'pod/app', '--timeout=60s');
  const session = await typed(
    'kubectl debug -it app --image=busybox --target=main --profile=general -c look -- sh',
    'ps\ncat /proc/1/root/tmp/mark && echo "it is there"\nstty size > /dev/null && echo "on a terminal"\nexit 3\n',
  );
  assert.match(session.stdout, /1 root +(0:00 )?sleep 1000/);
  assert.match(session.stdout, /on a terminal/);
  await eventually('its end is told', async () => (await field('app', '.status.ephemeralContainerStatuses[0].state.terminated.exitCode')) === '3');
  assert.match(await ok('logs', 'app', '-c', 'look'), /sleep 1000/);
  assert.match(await ok('describe', 'pod', 'app'), /Ephemeral Containers:\n +look:\n/);
  assert.equal(await field('app', '.status.phase'), 'Running');
  assert.equal(await field('app', '.status.containerStatuses[0].restartCount'), '0');
});

test('an ephemeral container can be left, attached to again and run in; its like can be added, not changed', async () => {
  await ok(
    'debug',
    'app',
    '--image=busybox',
    '--profile=general',
    '-c',
    'stays',
    '--attach=false',
    '-i',
    '--',
    'sh',
    '-c',
    'while read line; do echo got $line; done',
  );
  await eventually(
    'it runs',
    async () => (await field('app', '.status.ephemeralContainerStatuses[?(@.name=="stays")].state.running.startedAt')) !== '',
  );
  assert.equal(await ok('exec', 'app', '-c', 'stays', '--', 'hostname'), 'app');
  const attached = platform.start('attach', '-i', 'app', '-c', 'stays');
  attached.process.stdin!.write('word\n');
  await attached.until(/got word/);
  await attached.stop();
  const patch = JSON.stringify({ spec: { ephemeralContainers: [{ name: 'stays', image: 'other' }] } });
  const changed = await platform.kubectl(['patch', 'pod', 'app', '--subresource=ephemeralcontainers', '-p', patch]);
  assert.equal(changed.code, 1);
  assert.match(changed.stderr, /existing ephemeral containers "stays" may not be changed/);
  const direct = await platform.kubectl(['patch', 'pod', 'app', '-p', JSON.stringify({ spec: { ephemeralContainers: [{ name: 'x', image: 'busybox' }] } })]);
  assert.match(direct.stderr, /Forbidden|may not/);
  await ok('delete', 'pod', 'app', '--now');
});

test('kubectl debug --copy-to runs a changed copy beside the original', async () => {
  await platform.apply(pod('crash', { command: ['sh', '-c', 'exit 1'] }, {}, { labels: { app: 'crash' } }));
  await ok('debug', 'crash', '--copy-to=copy', '--container=main', '--attach=false', '--', 'sleep', '1000');
  await ok('wait', '--for=condition=Ready', 'pod/copy', '--timeout=60s');
  assert.equal(await field('copy', '.metadata.labels'), '', 'no Service finds it');
  await ok('debug', 'copy', '--copy-to=seen', '--image=busybox', '--share-processes', '--attach=false', '-c', 'look', '--', 'sleep', '1000');
  await ok('wait', '--for=condition=Ready', 'pod/seen', '--timeout=60s');
  assert.equal((await ok('exec', 'seen', '-c', 'look', '--', 'ps')).split('\n').filter((line) => line.includes('sleep 1000')).length, 2);
  await ok('delete', 'pod', 'crash', 'copy', 'seen', '--now');
});

test('kubectl debug node gives a shell on the host', async () => {
  const session = await typed(
    'kubectl debug node/node-1 -it --image=busybox --profile=general -- sh',
    'chroot /host cat /etc/hostname\nps | grep -c "ps"\necho "on $(hostname) done"\nexit\n',
  );
  assert.match(session.stdout, /on \S+ done/);
  const name = /Creating debugging pod (\S+) with container debugger/.exec(session.stdout)![1]!;
  assert.deepEqual((await ok('get', 'pod', name, '-o', 'jsonpath={.spec.hostPID} {.spec.hostNetwork} {.spec.hostIPC}')).split(' '), ['true', 'true', 'true']);
  await ok('wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${name}`, '--timeout=60s');
  await ok('delete', 'pod', name, '--now');
});
