/** What a container has mounted in its own folder (shared memory, parts of volumes): it outlives the daemon, goes with the container, and takes nothing along. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { docker, importBusybox, newPlace, open, takeDown } from './docker-engine.ts';

test('shared memory and a part of a volume, over a restart of the daemon and to the end', async () => {
  const place = await newPlace();
  let daemon = await open(place);
  await importBusybox(daemon.engine);
  const ok = async (...args: string[]): Promise<string> => {
    const ran = await docker(place, args);
    assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout.trim();
  };
  const own = async (): Promise<string[]> => (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(`${place.folder}/engine/containers/`) && line.includes('/mounts/'));
  try {
    await ok('volume', 'create', 'deep');
    await ok('run', '--rm', '-v', 'deep:/v', 'busybox', 'sh', '-c', 'mkdir /v/part; echo kept >/v/part/file');
    const mount = 'type=volume,src=deep,dst=/part,volume-subpath=part';
    await ok('run', '-d', '--name', 'donor', '--ipc', 'shareable', '--stop-signal', 'KILL', '--mount', mount, 'busybox', 'sh', '-c', 'echo shared >/dev/shm/mark; exec sleep 1000');
    assert.equal((await own()).length, 2);

    await daemon.api.close();
    await daemon.engine.close({ stopContainers: false });
    daemon = await open(place);
    assert.equal(await ok('run', '--rm', '--ipc', 'container:donor', 'busybox', 'cat', '/dev/shm/mark'), 'shared');
    assert.equal(await ok('exec', 'donor', 'cat', '/part/file'), 'kept');

    await ok('restart', 'donor');
    assert.equal((await own()).length, 2, 'one of each, not one more');
    assert.equal(await ok('exec', 'donor', 'cat', '/part/file', '/dev/shm/mark'), 'kept\nshared');
    await ok('stop', 'donor');
    const joins = await docker(place, ['run', '--rm', '--ipc', 'container:donor', 'busybox', 'true']);
    assert.match(joins.stderr, /cannot join IPC of a non running container|is not running/);
    await ok('rm', 'donor');
    assert.deepEqual(await own(), []);
    assert.equal(await ok('run', '--rm', '-v', 'deep:/v', 'busybox', 'cat', '/v/part/file'), 'kept', 'the volume has what it had');
  } finally {
    for (const container of daemon.engine.containers.list()) await daemon.engine.containers.remove(container.id, { force: true, volumes: true });
    await daemon.api.close();
    await daemon.engine.close({ stopContainers: true });
    await takeDown(place, daemon.engine, daemon.host);
  }
});
