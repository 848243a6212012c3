/**
 * What a container has mounted in its own folder (shared memory, parts of volumes): it outlives the daemon, goes with
 * the container, and takes nothing along.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { docker, eventually, newPlace, open, takeDown } from './docker-engine.ts';
import type { Place } from './docker-engine.ts';

let place: Place;
let daemon: ChildProcess;

before(async () => {
  place = await newPlace();
  await start();
});

after(async () => {
  await kill();
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
  assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout.trim();
}

async function own(): Promise<number> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return mounts.filter((line) => line.includes(`${place.folder}/engine/containers/`) && line.includes('/mounts/')).length;
}

test('shared memory and a part of a volume, over a crash of the daemon and to the end', async () => {
  await ok('volume', 'create', 'deep');
  await ok('run', '--rm', '-v', 'deep:/v', 'busybox', 'sh', '-c', 'mkdir /v/part; echo kept >/v/part/file');
  const mount = 'type=volume,src=deep,dst=/part,volume-subpath=part';
  await ok(
    'run',
    '-d',
    '--name',
    'donor',
    '--ipc',
    'shareable',
    '--stop-signal',
    'KILL',
    '--mount',
    mount,
    'busybox',
    'sh',
    '-c',
    'echo shared >/dev/shm/mark; exec sleep 1000',
  );
  assert.equal(await own(), 2);

  await kill();
  await start();
  assert.equal(await ok('run', '--rm', '--ipc', 'container:donor', 'busybox', 'cat', '/dev/shm/mark'), 'shared');
  assert.equal(await ok('exec', 'donor', 'cat', '/part/file'), 'kept');

  await ok('restart', 'donor');
  assert.equal(await own(), 2, 'one of each, not one more');
  const pid = await ok('inspect', '-f', '{{.State.Pid}}', 'donor');
  await kill();
  process.kill(Number(pid), 'SIGKILL');
  await start();
  const joins = await docker(place, ['run', '--rm', '--ipc', 'container:donor', 'busybox', 'true']);
  assert.match(joins.stderr, /is not running|non running container/, 'it ended while nobody looked');
  await ok('rm', 'donor');
  await eventually('its mounts are gone', async () => (await own()) === 0);
  assert.equal(await ok('run', '--rm', '-v', 'deep:/v', 'busybox', 'cat', '/v/part/file'), 'kept', 'the volume has what it had');
});
