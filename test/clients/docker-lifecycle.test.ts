import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { docker, dockerOnTerminal, eventually, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

const status = (name: string): Promise<string> => engine.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name);

test('create, start, stop, restart, kill, wait, rename, rm', async () => {
  await engine.ok('create', '--name', 'life', '--stop-signal', 'INT', 'busybox', 'sh', '-c', 'trap "exit 9" INT; while :; do sleep 0.05; done');
  assert.equal(await status('life'), 'created 0');
  await engine.ok('start', 'life');
  assert.equal(await status('life'), 'running 0');
  assert.match(
    (await engine.docker('rm', 'life')).stderr,
    /cannot remove container "life": container is running: stop the container before removing or force remove/,
  );
  await engine.ok('stop', 'life');
  assert.equal(await status('life'), 'exited 9');
  await engine.ok('restart', 'life');
  assert.equal(await status('life'), 'running 0');
  const waiting = engine.ok('wait', 'life');
  await eventually('the wait has begun', () => true);
  await engine.ok('kill', 'life');
  assert.equal(await waiting, '137');
  assert.match((await engine.docker('kill', 'life')).stderr, /is not running/);
  await engine.ok('rename', 'life', 'afterlife');
  assert.match((await engine.docker('inspect', 'life')).stderr, /No such object: life/i);
  assert.match(
    (await engine.docker('create', '--name', 'afterlife', 'busybox')).stderr,
    /Conflict\. The container name "\/afterlife" is already in use by container/,
  );
  await engine.ok('rm', 'afterlife');
  assert.equal(await engine.ok('ps', '-aq'), '');
});

test('pause freezes, unpause thaws, and a paused container can be removed by force', async () => {
  await engine.ok('run', '-d', '--name', 'frozen', 'busybox', 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done');
  await engine.ok('pause', 'frozen');
  assert.match(await engine.ok('ps', '--format', '{{.Status}}'), /\(Paused\)/);
  const before = await engine.ok('logs', '--tail', '1', 'frozen');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await engine.ok('logs', '--tail', '1', 'frozen'), before);
  assert.match((await engine.docker('exec', 'frozen', 'true')).stderr, /is paused, unpause the container before exec/);
  await engine.ok('unpause', 'frozen');
  await eventually('it goes on', async () => (await engine.ok('logs', '--tail', '1', 'frozen')) !== before);
  await engine.ok('pause', 'frozen');
  await engine.ok('rm', '-f', 'frozen');
});

test('restart policies: how often, and not after a stop', async () => {
  await engine.ok('run', '-d', '--name', 'thrice', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'exit 5');
  await eventually(
    'it gave up',
    async () => (await engine.ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}', 'thrice')) === 'exited 2 5',
  );
  await engine.ok('run', '-d', '--name', 'again', '--restart', 'always', 'busybox', 'sh', '-c', 'sleep 0.1; exit 1');
  await eventually('it was restarted', async () => Number(await engine.ok('inspect', '-f', '{{.RestartCount}}', 'again')) >= 2);
  await engine.ok('stop', 'again');
  const count = await engine.ok('inspect', '-f', '{{.RestartCount}}', 'again');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(await engine.ok('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'again'), `${count} exited`);
  await engine.ok('rm', 'thrice', 'again');
  const refused = await engine.docker('run', '--rm', '--restart', 'always', 'busybox');
  assert.notEqual(refused.code, 0);
});

test('health: starting, healthy, unhealthy', async () => {
  await engine.ok(
    'run',
    '-d',
    '--name',
    'health',
    '--health-cmd',
    'test -e /ok',
    '--health-interval',
    '100ms',
    '--health-retries',
    '2',
    '--health-timeout',
    '5s',
    'busybox',
    'sleep',
    '1000',
  );
  const health = (): Promise<string> => engine.ok('inspect', '-f', '{{.State.Health.Status}}', 'health');
  await eventually('unhealthy', async () => (await health()) === 'unhealthy');
  await engine.ok('exec', 'health', 'touch', '/ok');
  await eventually('healthy', async () => (await health()) === 'healthy');
  assert.match(await engine.ok('ps', '--filter', 'health=healthy', '--format', '{{.Names}} {{.Status}}'), /^health Up .*\(healthy\)$/);
  await engine.ok('rm', '-f', 'health');
});

test('exec: streams, exit code, environment, user, terminal, detached', async () => {
  await engine.ok('run', '-d', '--name', 'box', '-e', 'FROM=run', 'busybox', 'sleep', '1000');
  assert.deepEqual(
    await engine.docker(
      'exec',
      '-e',
      'X=1',
      '-w',
      '/tmp',
      '-u',
      '1000',
      'box',
      'sh',
      '-c',
      'echo $FROM $X; pwd; id -u; echo no >&2; exit 6',
    ),
    { code: 6, stdout: 'run 1\n/tmp\n1000\n', stderr: 'no\n' },
  );
  assert.equal((await docker(engine, ['exec', '-i', 'box', 'cat'], 'through')).stdout, 'through');
  const tty = await dockerOnTerminal(engine, ['exec', '-it', 'box', 'sh', '-c', 'tty; stty size']);
  assert.match(tty.stdout, /\/dev\/pts\/0\r\n30 90/);
  const missing = await engine.docker('exec', 'box', 'no-such-program');
  assert.equal(missing.code, 127);
  assert.match(missing.stdout + missing.stderr, /exec: "no-such-program": executable file not found in \$PATH/);
  await engine.ok('exec', '-d', 'box', 'sh', '-c', 'echo done > /tmp/done');
  await eventually('the detached one ran', async () => (await engine.docker('exec', 'box', 'cat', '/tmp/done')).stdout === 'done\n');
  assert.match((await engine.docker('exec', '-w', '/proc/self/fd/7', 'box', 'true')).stderr + missing.stdout, /leads through \/proc|executable/);
  await engine.ok('rm', '-f', 'box');
});

test('logs: streams, tail, times, since, follow to the end', async () => {
  await engine.ok('run', '--name', 'talk', 'busybox', 'sh', '-c', 'for i in 1 2 3; do echo out $i; done; printf unfinished');
  assert.equal(await engine.ok('logs', 'talk'), 'out 1\nout 2\nout 3\nunfinished');
  assert.equal(await engine.ok('logs', '--tail', '2', 'talk'), 'out 3\nunfinished');
  assert.match(await engine.ok('logs', '-t', '--tail', '1', 'talk'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z unfinished$/);
  assert.equal(await engine.ok('logs', '--since', '2099-01-01T00:00:00Z', 'talk'), '');
  await engine.ok('rm', 'talk');
  await engine.ok('run', '-d', '--name', 'slow', 'busybox', 'sh', '-c', 'for i in $(seq 1 20); do echo $i; sleep 0.02; done');
  assert.equal(await engine.ok('logs', '-f', 'slow'), Array.from({ length: 20 }, (_, n) => n + 1).join('\n'));
  await engine.ok('rm', 'slow');
});

test('logs rotate by size, and none of what is kept is torn', async () => {
  await engine.ok(
    'run',
    '--name',
    'rotated',
    '--log-opt',
    'max-size=20k',
    '--log-opt',
    'max-file=3',
    'busybox',
    'sh',
    '-c',
    'for i in $(seq 1 2000); do echo line $i; test $((i % 100)) = 0 && sleep 0.05; done',
  );
  const lines = (await engine.ok('logs', 'rotated')).split('\n');
  assert.equal(lines.at(-1), 'line 2000');
  assert.ok(lines.length < 2000, `${lines.length} lines`);
  const first = Number(lines[0]!.split(' ')[1]);
  assert.deepEqual(lines, Array.from({ length: 2001 - first }, (_, n) => `line ${first + n}`));
  await engine.ok('rm', 'rotated');
});

test('attach sees what comes, and detach keys leave it running', async () => {
  await engine.ok('run', '-dit', '--name', 'seen', 'busybox', 'sh');
  const ran = await dockerOnTerminal(engine, ['attach', 'seen'], [[/./s, '\n'], [/# /, 'echo hel""lo\n'], [/hello/, '\x10\x11']]);
  assert.match(ran.stdout, /read escape sequence/);
  await eventually('it was typed', async () => (await engine.ok('logs', 'seen')).includes('hello'));
  assert.equal(await status('seen'), 'running 0');
  await engine.ok('rm', '-f', 'seen');
});

test('top, stats, update, port, diff, inspect', async () => {
  await engine.ok('run', '-d', '--name', 'facts', '-p', '127.0.0.1::80', 'busybox', 'httpd', '-f', '-p', '80');
  assert.match(await engine.ok('top', 'facts'), /^UID\s+PID\s+PPID\s+C\s+STIME\s+TTY\s+TIME\s+CMD\nroot .*httpd -f -p 80$/);
  assert.match(await engine.ok('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}} {{.MemUsage}}', 'facts'), /^facts 1 \d/);
  assert.match(await engine.ok('port', 'facts', '80'), /^127\.0\.0\.1:\d+$/);
  await engine.ok('update', '--memory', '32m', '--memory-swap', '64m', 'facts');
  const id = await engine.ok('inspect', '-f', '{{.Id}}', 'facts');
  assert.equal((await engine.engine.containers.usage(id))?.memoryLimitBytes, 32 << 20);
  await engine.ok('exec', 'facts', 'sh', '-c', 'echo 1 > /root/new; rm /etc/group');
  assert.deepEqual((await engine.ok('diff', 'facts')).split('\n').sort(), ['A /root/new', 'C /etc', 'C /root', 'D /etc/group']);
  await engine.ok('rm', '-f', 'facts');
});

test('ps filters, and prune', async () => {
  await engine.ok('run', '-d', '--name', 'up1', '--label', 'tier=web', 'busybox', 'sleep', '1000');
  assert.equal((await engine.docker('run', '--name', 'gone1', '--label', 'tier=db', 'busybox', 'sh', '-c', 'exit 3')).code, 3);
  const names = async (...filters: string[]): Promise<string> =>
    engine.ok('ps', '-a', ...filters.flatMap((filter) => ['--filter', filter]), '--format', '{{.Names}}');
  assert.equal(await names('label=tier=web'), 'up1');
  assert.equal(await names('status=exited'), 'gone1');
  assert.equal(await names('exited=3'), 'gone1');
  assert.equal(await names('name=^up'), 'up1');
  assert.equal(await names('ancestor=busybox', 'name=1$'), 'gone1\nup1');
  assert.equal(await names('since=up1'), 'gone1');
  assert.match((await engine.docker('ps', '--filter', 'nonsense=1')).stderr, /invalid filter 'nonsense'/);
  assert.match(await engine.ok('container', 'prune', '-f'), /Deleted Containers:/);
  assert.equal(await engine.ok('ps', '-a', '--format', '{{.Names}}'), 'up1');
  await engine.ok('rm', '-f', 'up1');
});

test('events tell the story', async () => {
  const since = String(Date.now() / 1000);
  await engine.ok('run', '--rm', '--name', 'story', 'busybox', 'true');
  await eventually('it is told', async () => {
    const told = await engine.ok(
      'events',
      '--since',
      since,
      '--until',
      String(Date.now() / 1000 + 1),
      '--filter',
      'container=story',
      '--filter',
      'type=container',
      '--format',
      '{{.Action}}',
    );
    return told.split('\n').join(' ') === 'create attach start die destroy';
  });
});
