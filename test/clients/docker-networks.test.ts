import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { eventually, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece)).on('end', () => resolve(text));
    });
    outgoing.on('error', reject).end();
  });
}

test('a published port answers on 127.0.0.1 while the container runs', async () => {
  await engine.ok('run', '-d', '--name', 'web', '-P', '--expose', '80', 'busybox', 'sh', '-c', 'echo hello > /root/index.html; exec httpd -f -p 80 -h /root');
  const port = Number((await engine.ok('port', 'web', '80')).split('\n')[0]!.split(':').at(-1));
  assert.ok(port > 0);
  await eventually('it answers', async () => (await get(port).catch(() => '')) === 'hello\n');
  assert.match(await engine.ok('ps', '--format', '{{.Ports}}'), new RegExp(`0\\.0\\.0\\.0:${port}->80/tcp`));
  const second = await engine.docker('run', '--rm', '-p', `${port}:80`, 'busybox', 'true');
  assert.equal(second.code, 125);
  assert.match(second.stderr, new RegExp(`${port}`));
  await engine.ok('rm', '-f', 'web');
  await assert.rejects(get(port));
});

test('on a user-defined network containers find each other by name and alias', async () => {
  await engine.ok('network', 'create', '--label', 'kind=test', 'net1');
  await engine.ok('run', '-d', '--name', 'server', '--network', 'net1', '--network-alias', 'srv', 'busybox', 'sleep', '1000');
  assert.match(
    await engine.ok(
      'run',
      '--rm',
      '--network',
      'net1',
      'busybox',
      'sh',
      '-c',
      'ping -c1 -W2 server && ping -c1 -W2 srv && cat /etc/resolv.conf',
    ),
    /nameserver 127\.0\.0\.11/,
  );
  assert.match((await engine.docker('network', 'rm', 'net1')).stderr, /has active endpoints/);
  await engine.ok('run', '-d', '--name', 'later', 'busybox', 'sleep', '1000');
  await engine.ok('network', 'connect', '--alias', 'late', 'net1', 'later');
  assert.match(await engine.ok('exec', 'server', 'ping', '-c1', '-W2', 'late'), /1 packets received/);
  assert.equal(await engine.ok('inspect', '-f', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', 'later'), 'bridge net1 ');
  await engine.ok('network', 'disconnect', 'net1', 'later');
  await engine.ok('rm', '-f', 'server', 'later');
  assert.equal(await engine.ok('network', 'ls', '--filter', 'label=kind=test', '--format', '{{.Name}}'), 'net1');
  await engine.ok('network', 'rm', 'net1');
});

test('none, host, and the network of another container', async () => {
  assert.equal(await engine.ok('run', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'ls /sys/class/net'), 'lo');
  await engine.ok('run', '-d', '--name', 'owner', 'busybox', 'sleep', '1000');
  const address = await engine.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'owner');
  assert.match(
    await engine.ok('run', '--rm', '--network', 'container:owner', 'busybox', 'ip', 'addr', 'show', 'eth0'),
    new RegExp(address.replaceAll('.', '\\.')),
  );
  const links = await engine.ok('run', '--rm', '--network', 'host', 'busybox', 'ls', '/sys/class/net');
  assert.ok(!links.split('\n').includes('eth0@') && links.split('\n').length > 1);
  assert.equal(
    await engine.ok(
      'run',
      '--rm',
      '--add-host',
      'db:1.2.3.4',
      '--link',
      'owner:o',
      'busybox',
      'sh',
      '-c',
      'grep -cE "[[:space:]](db|owner)([[:space:]]|$)" /etc/hosts',
    ),
    '2',
  );
  await engine.ok('rm', '-f', 'owner');
});

test('volumes: shared, read-only, filled from the image, anonymous ones go with the container', async () => {
  await engine.ok('volume', 'create', '--label', 'a=b', 'data');
  await engine.ok('run', '--rm', '-v', 'data:/d', 'busybox', 'sh', '-c', 'echo 1 > /d/one');
  const readOnly = await engine.docker('run', '--rm', '-v', 'data:/d:ro', 'busybox', 'sh', '-c', 'cat /d/one; echo 2 > /d/two');
  assert.equal(readOnly.stdout, '1\n');
  assert.match(readOnly.stderr, /Read-only file system/);
  assert.match(await engine.ok('run', '--rm', '-v', 'fresh:/etc', 'busybox', 'ls', '/etc'), /passwd/);
  await engine.ok('create', '--name', 'user', '-v', 'data:/d', '-v', '/anonymous', 'busybox');
  assert.equal((await engine.ok('volume', 'ls', '-q')).split('\n').length, 3);
  assert.match((await engine.docker('volume', 'rm', 'data')).stderr, /volume is in use/);
  await engine.ok('rm', '-v', 'user');
  await eventually('the anonymous one is gone', async () => (await engine.ok('volume', 'ls', '-q')) === 'data\nfresh');
  assert.match((await engine.docker('volume', 'inspect', 'nope')).stderr, /no such volume/);
  await engine.ok('volume', 'rm', 'data', 'fresh');
});

test('system df, info and version', async () => {
  assert.match(await engine.ok('system', 'df'), /^Images\s+1/m);
  assert.match(await engine.ok('info', '--format', '{{.OSType}} {{.CgroupDriver}} {{.Driver}}'), /^linux cgroupfs overlay2$/);
  assert.match(await engine.ok('version', '--format', '{{.Server.APIVersion}} {{.Server.MinAPIVersion}}'), /^1\.\d+ 1\.24$/);
  assert.match((await engine.docker('node', 'ls')).stderr, /This node is not a swarm manager/);
});

test('a network of the cluster is neither removed nor cleaned up', async () => {
  const { id } = await engine.engine.networks.create({ name: 'of-pods', driver: 'bridge', labels: { 'longshore.io/purpose': 'pods' } });
  await engine.ok('network', 'create', 'idle');
  assert.equal(await engine.ok('network', 'prune', '-f'), 'Deleted Networks:\nidle\n');
  const refused = await engine.docker('network', 'rm', 'of-pods');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /network of-pods is the cluster's \(pods\) and cannot be removed/);
  await engine.engine.networks.remove(id);
});

test('who has stopped is in no network any more, at once: compose looks before it removes one', async () => {
  await engine.ok('network', 'create', 'brief-a');
  await engine.ok('network', 'create', 'brief-b');
  for (let round = 0; round < 5; round++) {
    await engine.ok(
      'run',
      '-d',
      '--init',
      '--name',
      'brief',
      '--network',
      'brief-a',
      '--network',
      'brief-b',
      '-P',
      '--expose',
      '80-90',
      'busybox',
      'sleep',
      '1000',
    );
    await engine.ok(...(round % 2 === 0 ? ['stop', '-t', '1', 'brief'] : ['rm', '-f', 'brief']));
    assert.equal(await engine.ok('network', 'inspect', 'brief-a', 'brief-b', '--format', '{{len .Containers}}'), '0\n0');
    if (round % 2 === 0) await engine.ok('rm', 'brief');
  }
  await engine.ok('network', 'rm', 'brief-a', 'brief-b');
});
