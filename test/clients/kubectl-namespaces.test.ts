import assert from 'node:assert/strict';
import { readFile, readlink } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { openHost } from '../../src/host/open.ts';
import { eventually, pod, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const inside = (name: string, container: string, command: string): Promise<string> => ok('exec', name, '-c', container, '--', 'sh', '-c', command);
const ready = (name: string): Promise<string> => ok('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
const main = { name: 'main', image: 'busybox', command: ['sleep', '1000'] };
const two = (name: string, spec: object = {}): object => pod(name, {}, { containers: [main, { ...main, name: 'beside' }], ...spec });

test('containers of a pod share memory, IPC and host name, and not their processes', async () => {
  await platform.apply(two('shared', { hostname: 'web-0' }));
  await ready('shared');
  await inside('shared', 'main', 'echo from main > /dev/shm/note');
  assert.equal(await inside('shared', 'beside', 'cat /dev/shm/note; stat -c %a /dev/shm'), 'from main\n1777');
  const spaces = 'for n in ipc uts net; do readlink /proc/self/ns/$n; done';
  assert.equal(await inside('shared', 'main', spaces), await inside('shared', 'beside', spaces));
  assert.notEqual(await inside('shared', 'main', 'readlink /proc/self/ns/ipc'), await inside('shared', 'main', 'readlink /proc/1/ns/pid'));
  assert.notEqual(await inside('shared', 'main', 'readlink /proc/self/ns/pid'), await inside('shared', 'beside', 'readlink /proc/self/ns/pid'));
  assert.equal(await inside('shared', 'main', 'hostname; cat /etc/hostname; echo $HOSTNAME'), 'web-0\nweb-0\nweb-0');
  // What was shared outlives one container's end.
  await platform.kubectl(['exec', 'shared', '-c', 'main', '--', 'kill', '-9', '1']);
  await ok('exec', 'shared', '-c', 'beside', '--', 'cat', '/dev/shm/note');
  await ok('delete', 'pod', 'shared', '--now');
});

test('with shareProcessNamespace they see each other, and orphans are taken away', async () => {
  await platform.apply(two('seen', { shareProcessNamespace: true }));
  await ready('seen');
  assert.match(await inside('seen', 'main', 'cat /proc/1/comm'), /^pause$/);
  assert.equal((await inside('seen', 'main', 'ps')).split('\n').filter((line) => line.includes('sleep 1000')).length, 2);
  // A child whose parent has gone ends up with the namespace's first process, which must not leave it a zombie.
  await inside('seen', 'beside', '(sleep 0.1 &) ; sleep 0.5');
  assert.doesNotMatch(await inside('seen', 'main', 'cat /proc/*/status'), /State:\tZ/);
  // A container that ends takes its own processes with it, and nobody else's.
  await inside('seen', 'beside', 'sleep 777 > /dev/null 2>&1 &');
  assert.match(await inside('seen', 'main', 'ps'), /sleep 777/);
  const id = await ok('get', 'pod', 'seen', '-o', 'jsonpath={.status.containerStatuses[?(@.name=="beside")].containerID}');
  await inside('seen', 'main', "kill -9 $(ps | grep 'sleep 1000' | grep -v grep | awk '{print $1}' | tail -1)");
  await eventually('the other one runs again', async () => {
    const [now, runs] = (
      await ok(
        'get',
        'pod',
        'seen',
        '-o',
        'jsonpath={.status.containerStatuses[?(@.name=="beside")].containerID} {.status.containerStatuses[*].restartCount}',
      )
    ).split(/ (.*)/);
    return now !== id || runs !== '0 0';
  });
  await ready('seen');
  assert.doesNotMatch(await inside('seen', 'main', 'ps'), /sleep 777/);
  await ok('delete', 'pod', 'seen', '--now');
});

test('when the process that holds the shared namespace is killed, the pod starts anew', async () => {
  await platform.apply(two('held', { shareProcessNamespace: true }));
  await ready('held');
  const host = await openHost();
  const pids = await host.cgroups.processes(`longshore-${platform.config.id}`);
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8')));
  process.kill(pids[names.indexOf('pause\n')]!, 'SIGKILL');
  await eventually('both were restarted', async () =>
    /^[1-9] [1-9]$/.test(await ok('get', 'pod', 'held', '-o', 'jsonpath={.status.containerStatuses[*].restartCount}')),
  );
  await ready('held');
  assert.match(await ok('get', 'events', '--field-selector', 'involvedObject.name=held'), /SandboxChanged/);
  assert.match(await inside('held', 'main', 'ps'), /pause/);
  await ok('delete', 'pod', 'held', '--now');
});

test('hostPID, hostIPC and hostNetwork give the host\'s', async () => {
  await platform.apply(pod('host', { command: ['sleep', '1000'] }, { hostPID: true, hostIPC: true, hostNetwork: true }));
  await ready('host');
  for (const kind of ['pid', 'ipc', 'net', 'uts']) {
    assert.equal(await inside('host', 'main', `readlink /proc/self/ns/${kind}`), await readlink(`/proc/self/ns/${kind}`));
  }
  await ok('delete', 'pod', 'host', '--now');
});
