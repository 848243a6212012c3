import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { docker, eventually, newPlace, open, takeDown } from './docker-engine.ts';
import type { Place } from './docker-engine.ts';

let place: Place;
let daemon: ChildProcess;

before(async () => {
  place = await newPlace();
});

after(async () => {
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  const { engine, api, host } = await open(place);
  for (const container of engine.containers.list()) await engine.containers.remove(container.id, { force: true });
  await api.close();
  await engine.close({ stopContainers: true });
  await takeDown(place, engine, host);
});

async function start(): Promise<void> {
  daemon = spawn(process.execPath, [join(import.meta.dirname, 'docker-daemon.ts'), JSON.stringify(place)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(daemon.stdout!, 'data');
}

async function kill(): Promise<void> {
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
}

async function ok(...args: string[]): Promise<string> {
  const ran = await docker(place, args);
  assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout.replace(/\n$/, '');
}

test('kill -9 of the daemon: containers go on, and nothing is lost', async () => {
  await start();
  await ok('run', '-d', '--name', 'web', '-p', '127.0.0.1:0:80', 'busybox', 'sh', '-c', 'echo alive > /root/index.html; exec httpd -f -p 80 -h /root');
  await ok('run', '-d', '--name', 'counter', 'busybox', 'sh', '-c', 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done');
  await ok('run', '-d', '--name', 'ends', 'busybox', 'sh', '-c', 'sleep 0.4; exit 44');
  await ok('run', '-d', '--rm', '--name', 'leaves', 'busybox', 'sleep', '0.4');
  await ok('run', '-d', '--name', 'returns', '--restart', 'always', 'busybox', 'sh', '-c', 'sleep 0.4; exit 1');
  await ok('run', '-d', '--name', 'stays', '--restart', 'always', 'busybox', 'sleep', '1000');
  await ok('run', '--name', 'was', 'busybox', 'sh', '-c', 'echo before');
  const port = (await ok('port', 'web', '80')).split(':').at(-1)!;
  const pid = await ok('inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}}', 'web');
  await kill();

  const answer = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
  assert.equal(await answer(), 'alive\n');
  await new Promise((resolve) => setTimeout(resolve, 700));
  await start();

  assert.equal(await answer(), 'alive\n');
  assert.equal(await ok('inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}}', 'web'), pid);
  assert.equal(await ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}', 'ends'), 'exited 44 0');
  assert.equal(await ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', 'stays'), 'running 0');
  await eventually('the policy was applied', async () => {
    const [count, failure] = (await ok('inspect', '-f', '{{.RestartCount}} {{.State.Error}}', 'returns')).split(' ');
    assert.equal(failure, '', 'no restart failed');
    return Number(count) >= 1;
  });
  await eventually('the one with --rm is gone', async () => !(await ok('ps', '-a', '--format', '{{.Names}}')).split('\n').includes('leaves'));
  assert.equal(await ok('logs', 'was'), 'before');
  assert.equal(await ok('exec', 'web', 'echo', 'exec'), 'exec');
  const waiting = ok('wait', 'counter');
  await ok('stop', '-t', '0', 'counter');
  assert.equal(await waiting, '137');
  const lines = (await ok('logs', 'counter')).split('\n').map(Number);
  assert.deepEqual(lines, lines.map((_, n) => n));
  assert.ok(lines.length > 50);
  await ok('restart', '-t', '0', 'web');
  await ok('rm', '-f', 'web', 'counter', 'ends', 'returns', 'stays', 'was');
  assert.equal(await ok('ps', '-aq'), '');
});

test('kill -9 at random moments of many starts and removals leaves books that agree with the machine', async () => {
  for (let round = 0; round < 4; round++) {
    await ok('ps');
    const work = Array.from({ length: 6 }, (_, n) =>
      docker(place, ['run', '-d', '--name', `r${round}n${n}`, 'busybox', 'sleep', '1000']).then(() =>
        docker(place, ['rm', '-f', `r${round}n${n}`]),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 40 + round * 90));
    await kill();
    await Promise.all(work);
    await start();
  }
  const left = (await ok('ps', '-a', '--format', '{{.Names}} {{.State}}')).split('\n').filter((line) => line !== '');
  for (const line of left) {
    const [name, state] = line.split(' ');
    if (state === 'running') assert.equal(await ok('exec', name!, 'echo', 'well'), 'well');
    await ok('rm', '-f', name!);
  }
});

test('damaged records of one container leave the others as they are, and lose no data', async () => {
  await ok('ps');
  for (const name of ['whole', 'stateless', 'over', 'undescribed']) {
    await ok(
      'run',
      '-d',
      '--name',
      name,
      '-p',
      '127.0.0.1:0:80',
      'busybox',
      'sh',
      '-c',
      'echo alive > /root/index.html; exec httpd -f -p 80 -h /root',
    );
  }
  const port = (await ok('port', 'stateless', '80')).split(':').at(-1)!;
  const idOf: Record<string, string> = {};
  for (const name of ['stateless', 'over', 'undescribed']) idOf[name] = await ok('inspect', '-f', '{{.Id}}', name);
  const file = (name: string, what: string): string => join(place.folder, 'engine/containers', idOf[name]!, what);
  await ok('kill', 'over');
  await kill();
  await writeFile(file('stateless', 'state.json'), '{"status":"runn');
  await writeFile(file('over', 'state.json'), '');
  await writeFile(file('undescribed', 'container.json'), '\0'.repeat(300));
  await start();

  assert.equal(await ok('inspect', '-f', '{{.State.Status}}', 'whole'), 'running');
  assert.equal(await ok('inspect', '-f', '{{.State.Status}} {{(index .NetworkSettings.Ports "80/tcp" 0).HostPort}}', 'stateless'), `running ${port}`);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'alive\n');
  assert.equal(await ok('exec', 'stateless', 'cat', '/root/index.html'), 'alive');
  assert.equal(await ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}', 'over'), 'exited 137 ');
  await ok('start', 'over');
  assert.equal(await ok('inspect', '-f', '{{.State.Status}}', 'over'), 'running');
  assert.doesNotMatch(await ok('ps', '-a', '--format', '{{.Names}}'), /undescribed/);
  await access(file('undescribed', 'container.json'));

  // Its description comes back from a backup, and it is as it was.
  await kill();
  const [mine, other] = [JSON.parse(await readFile(file('stateless', 'container.json'), 'utf8')) as { id: string; name: string }, idOf['undescribed']!];
  await writeFile(file('undescribed', 'container.json'), JSON.stringify({ ...mine, id: other, name: 'undescribed' }));
  await start();
  assert.equal(await ok('exec', 'undescribed', 'cat', '/root/index.html'), 'alive');
  await ok('rm', '-f', 'whole', 'stateless', 'over', 'undescribed');
});
