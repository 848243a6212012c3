import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { docker, dockerOnTerminal, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

test('output, exit code, and nothing left with --rm', async () => {
  const ran = await engine.docker('run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3');
  assert.deepEqual(ran, { code: 3, stdout: 'out\n', stderr: 'err\n' });
  assert.equal(await engine.ok('ps', '-aq'), '');
});

test('standard input, and its end', async () => {
  const text = 'line\n'.repeat(50_000);
  const ran = await docker(engine, ['run', '--rm', '-i', 'busybox', 'wc', '-c'], text);
  assert.equal(ran.stdout.trim(), String(text.length));
});

test('environment, folder, user and groups', async () => {
  assert.equal(
    await engine.ok(
      'run',
      '--rm',
      '-e',
      'A=1',
      '-e',
      'B=two words',
      '-w',
      '/made/here',
      '-u',
      'web',
      'busybox',
      'sh',
      '-c',
      'echo $A $B; pwd; id; echo $HOME',
    ),
    '1 two words\n/made/here\nuid=1000(web) gid=1001(www) groups=1001(www),1002(extra)\n/var/web',
  );
  assert.equal(
    await engine.ok(
      'run',
      '--rm',
      '-u',
      '55:66',
      '--group-add',
      'extra',
      '--hostname',
      'h1',
      'busybox',
      'sh',
      '-c',
      'id; hostname; cat /etc/hostname',
    ),
    'uid=55 gid=66 groups=66,1002(extra)\nh1\nh1',
  );
});

test('a terminal, with its size', async () => {
  const ran = await dockerOnTerminal(
    engine,
    ['run', '--rm', '-it', 'busybox', 'sh', '-c', 'tty; stty size; read x; echo got $x; exit 4'],
    [[/30 90/, 'word\n']],
  );
  assert.equal(ran.code, 4, ran.stdout);
  assert.match(ran.stdout, /\/dev\/pts\/0/);
  assert.match(ran.stdout, /30 90/);
  assert.match(ran.stdout, /got word/);
});

test('what is missing is told with the exit codes of a shell', async () => {
  const missing = await engine.docker('run', '--rm', 'busybox', 'no-such-program');
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /exec: "no-such-program": executable file not found in \$PATH/);
  const denied = await engine.docker('run', '--rm', 'busybox', '/etc/passwd');
  assert.equal(denied.code, 126);
  const image = await engine.docker('run', '--rm', '--pull', 'never', 'no-such-image', 'true');
  assert.equal(image.code, 125);
  assert.match(image.stderr, /No such image: no-such-image:latest/);
  const user = await engine.docker('run', '--rm', '-u', 'nobody-here', 'busybox', 'true');
  assert.match(user.stderr, /unable to find user nobody-here: no matching entries in passwd file/);
  assert.equal(await engine.ok('ps', '-aq'), '');
});

test('limits reach the control groups, and inspect shows them', async () => {
  const id = await engine.ok('run', '-d', '--memory', '64m', '--cpus', '0.5', '--pids-limit', '50', 'busybox', 'sleep', '100');
  const usage = await engine.engine.containers.usage(id);
  assert.equal(usage?.memoryLimitBytes, 64 << 20);
  assert.equal(usage?.pidsLimit, 50);
  assert.equal(await engine.ok('inspect', '-f', '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}', id), `${64 << 20} 500000000 50`);
  await engine.ok('rm', '-f', id);
  assert.equal(await engine.ok('run', '--rm', '--ulimit', 'nofile=100:200', 'busybox', 'sh', '-c', 'ulimit -n; ulimit -Hn'), '100\n200');
});

test('out of memory is told apart', async () => {
  const name = 'hungry';
  await engine.docker('run', '--name', name, '--memory', '16m', '--memory-swap', '16m', 'busybox', 'sh', '-c', 'tail /dev/zero');
  assert.equal(await engine.ok('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', name), 'true 137');
  await engine.ok('rm', name);
});

test('what a container may not do', async () => {
  const { stdout } = await engine.docker(
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/self/status; mount -t tmpfs none /tmp; echo mount=$?; touch /sys/x; echo sys=$?; cat /proc/kcore | head -c1 | wc -c',
  );
  assert.match(stdout, /CapBnd:\s+00000000a80425fb/);
  assert.match(stdout, /Seccomp:\s+2/);
  assert.match(stdout, /mount=1\nsys=1\n0/);
  assert.match(
    await engine.ok(
      'run',
      '--rm',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
      'busybox',
      'grep',
      '-E',
      '^(CapBnd|NoNewPrivs)',
      '/proc/self/status',
    ),
    /CapBnd:\s+0{16}\nNoNewPrivs:\s+1/,
  );
  const readOnly = await engine.docker(
    'run',
    '--rm',
    '--read-only',
    '--tmpfs',
    '/run:size=1m',
    'busybox',
    'sh',
    '-c',
    'touch /x; touch /run/y && echo written',
  );
  assert.match(readOnly.stderr, /Read-only file system/);
  assert.equal(readOnly.stdout, 'written\n');
});

test('all at once: twenty containers', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => engine.ok('run', '-d', '--name', `many${n}`, 'busybox', 'sleep', '1000')));
  assert.equal(new Set(ids).size, 20);
  assert.equal((await engine.ok('ps', '-q')).split('\n').length, 20);
  await engine.ok('rm', '-f', ...ids);
  assert.equal(await engine.ok('ps', '-aq'), '');
});

test('a great deal of output arrives whole', async () => {
  const ran = await engine.ok('run', '--rm', 'busybox', 'sh', '-c', 'seq 1 200000');
  const lines = ran.split('\n');
  assert.equal(lines.length, 200_000);
  assert.equal(lines.at(-1), '200000');
});
