// By which names containers are found: links, host names, annotations; and what else of them the API tells.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { call, messageOf } from './docker-call.ts';
import { eventually, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

async function get<T>(path: string): Promise<T> {
  const answer = await call(engine.socket, 'GET', path);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as T;
}

const list = (
  filters: object,
  version = '/v1.46',
): Promise<{ Id: string; Names: string[]; HostConfig: { Annotations?: Record<string, string> } }[]> =>
  get(`${version}/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify(filters))}`);

test('a linked container is in /etc/hosts, in its names, and found by the link, also after a renaming', async () => {
  await engine.ok('run', '-d', '--name', 'db', 'busybox', 'sleep', '1000');
  const id = await engine.ok('inspect', '-f', '{{.Id}}', 'db');
  await engine.ok('run', '-d', '--name', 'app', '--link', 'db:/mysql', 'busybox', 'sleep', '1000');
  const address = await engine.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'db');
  assert.match(await engine.ok('exec', 'app', 'cat', '/etc/hosts'), new RegExp(`^${address}\\tmysql ${id.slice(0, 12)} db$`, 'm'));
  await engine.ok('rename', 'app', 'app2');
  assert.deepEqual((await list({ id: [id] }))[0]!.Names, ['/db', '/app2/mysql']);
  assert.equal((await get<{ Id: string }>('/containers/app2/mysql/json')).Id, id);
  assert.equal((await call(engine.socket, 'GET', '/containers/app/mysql/json')).status, 404);
  assert.equal(await engine.ok('inspect', '-f', '{{json .HostConfig.Links}}', 'app2'), '["/db:/app2/mysql"]');
  assert.match((await engine.docker('rm', '--link', 'app2/none')).stderr, /No such link: app2\/none/);
  await engine.ok('rm', '--link', 'app2/mysql');
  assert.deepEqual((await list({ id: [id] }))[0]!.Names, ['/db']);
  await engine.ok('restart', '-t', '0', 'app2');
  assert.doesNotMatch(await engine.ok('exec', 'app2', 'cat', '/etc/hosts'), /mysql/);
  const refused = await call(engine.socket, 'POST', '/containers/create', { Image: 'busybox', HostConfig: { Links: ['nowhere'] } });
  assert.equal(refused.status, 400);
  assert.match(messageOf(refused), /could not get container for nowhere: No such container: nowhere/);
});

test('a host name is known to the neighbours; on the host network the hosts are the host\'s', async () => {
  await engine.ok('network', 'create', 'names');
  await engine.ok('run', '-d', '--name', 'called', '--hostname', 'foobar', '--network', 'names', 'busybox', 'sleep', '1000');
  const address = await engine.ok('inspect', '-f', '{{.NetworkSettings.Networks.names.IPAddress}}', 'called');
  assert.match(await engine.ok('run', '--rm', '--network', 'names', 'busybox', 'nslookup', 'foobar'), new RegExp(`Address.*: ${address}`));
  await engine.ok('rename', 'called', 'recalled');
  assert.match(await engine.ok('run', '--rm', '--network', 'names', 'busybox', 'nslookup', 'recalled'), new RegExp(`Address.*: ${address}`));
  assert.notEqual((await engine.docker('run', '--rm', '--network', 'names', 'busybox', 'nslookup', 'called')).code, 0);
  const own = await readFile('/etc/hosts', 'utf8');
  assert.equal((await engine.docker('run', '--rm', '--network', 'host', 'busybox', 'cat', '/etc/hosts')).stdout, own);
  assert.ok(
    (
      await engine.docker('run', '--rm', '--network', 'host', '--add-host', 'far:192.0.2.1', 'busybox', 'cat', '/etc/hosts')
    ).stdout.endsWith('\n192.0.2.1\tfar\n'),
  );
  await engine.ok('rm', '-f', 'recalled');
  await engine.ok('network', 'rm', 'names');
});

test('annotations are told and looked for', async () => {
  const id = await engine.ok('create', '--annotation', 'com.example.key=value', 'busybox', 'true');
  assert.deepEqual((await list({ annotation: ['com.example.key'] })).map((each) => each.Id), [id]);
  assert.deepEqual((await list({ annotation: ['com.example.key=value'] }))[0]!.HostConfig.Annotations, { 'com.example.key': 'value' });
  assert.equal((await list({ annotation: ['com.example.key=value'] }, '/v1.45'))[0]!.HostConfig.Annotations, undefined);
  assert.deepEqual(await list({ annotation: ['com.example.key=other'] }), []);
});

test('with its anonymous volumes gone, a container is gone', async () => {
  for (const run of [
    ['run', '--rm', '-v', '/data', 'busybox', 'true'],
    ['create', '--name', 'holds', '-v', '/data', 'busybox'],
  ]) {
    await engine.ok(...run);
  }
  assert.equal((await engine.ok('volume', 'ls', '-q')).split('\n').length, 1);
  assert.equal((await call(engine.socket, 'DELETE', '/containers/holds?v=1')).status, 204);
  assert.deepEqual((await get<{ Volumes: unknown[] }>('/volumes')).Volumes ?? [], []);
});

test('a folder to work in is told without detours, a check that takes too long is told with what it said', async () => {
  await engine.ok(
    'run',
    '-d',
    '--name',
    'checked',
    '-w',
    '/tmp//./',
    '--health-cmd',
    'echo said; sleep 60',
    '--health-interval',
    '50ms',
    '--health-timeout',
    '250ms',
    '--health-retries',
    '1',
    'busybox',
    'sleep',
    '1000',
  );
  assert.equal(await engine.ok('inspect', '-f', '{{.Config.WorkingDir}}', 'checked'), '/tmp');
  await eventually('the check has failed', async () => (await engine.ok('inspect', '-f', '{{.State.Health.Status}}', 'checked')) === 'unhealthy');
  assert.equal(await engine.ok('inspect', '-f', '{{(index .State.Health.Log 0).Output}}', 'checked'), 'Health check exceeded timeout (250ms): said\n');
});

test('who joins a namespace of a container that does not run is told which', async () => {
  const id = await engine.ok('create', '--name', 'stands', 'busybox', 'true');
  const started = await call(engine.socket, 'POST', `/containers/${await engine.ok('create', '--pid', 'container:stands', 'busybox', 'true')}/start`);
  assert.equal(started.status, 500);
  assert.match(messageOf(started), new RegExp(`failed to join PID namespace: container ${id} is not running`));
  assert.equal((await call(engine.socket, 'POST', '/containers/create', { Image: 'busybox', HostConfig: { PidMode: 'container:none' } })).status, 400);
});
