// Pods that attack their node: links in volumes, images whose user is not what it seems, programs that take all memory. And what the daemon's log may not hold.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { eventually, pod, runClient, startTestDaemon, type TestDaemon } from './platform.ts';

let daemon: TestDaemon;
before(async () => {
  daemon = await startTestDaemon({ environment: { LONGSHORE_LOG: 'debug' } });
  await eventually('the default account', () => daemon.ok('get', 'serviceaccount', 'default', '-o', 'name'));
});
after(() => daemon.close());

const state = (name: string, path: string): Promise<string> => daemon.ok('get', 'pod', name, '-o', `jsonpath={${path}}`);
const why = (name: string): Promise<string> => state(name, '.status.containerStatuses[0].state.waiting.message');

async function docker(...args: string[]): Promise<string> {
  const ran = await runClient('docker', args, daemon.environment);
  assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout.trim();
}

/** busybox with another configuration. */
async function image(name: string, ...changes: string[]): Promise<void> {
  await docker('create', '--name', `base-${name}`, 'busybox');
  await docker('commit', ...changes.flatMap((change) => ['--change', change]), `base-${name}`, name);
  await docker('rm', `base-${name}`);
}

const shell = (script: string): object => ({ image: 'busybox', command: ['sh', '-c', script] });

test('a part of a volume is mounted, unless a link leads out of it', async () => {
  const init = [
    {
      name: 'init',
      ...shell(
        'mkdir /v/part; echo inside > /v/part/file; ln -s part /v/near; ln -s /etc /v/far; ln -s ../../../../../../../etc /v/up; ln -s /proc/self/root /v/magic',
      ),
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    },
  ];
  const volumes = [
    { name: 'v', emptyDir: {} },
    { name: 'c', configMap: { name: 'kube-root-ca.crt' } },
  ];
  const mounts = (subPath: string): object[] => [
    { name: 'v', mountPath: '/m', subPath },
    { name: 'c', mountPath: '/ca', subPath: 'ca.crt' },
  ];
  await daemon.apply(
    ...['part', 'near', 'new', 'far', 'up', 'magic'].map((sub) =>
      pod(
        `sub-${sub}`,
        { ...shell('ls -a /m; cat /m/file; head -1 /ca; sleep 1000'), volumeMounts: mounts(sub) },
        { initContainers: init, volumes },
      ),
    ),
  );
  for (const sub of ['part', 'near']) {
    assert.match(
      await eventually(`log of ${sub}`, async () => /BEGIN/.exec(await daemon.ok('logs', `sub-${sub}`)) && daemon.ok('logs', `sub-${sub}`)),
      /inside\n-----BEGIN CERTIFICATE/,
    );
  }
  await eventually('a missing part is made', async () => (await state('sub-new', '.status.phase')) === 'Running');
  for (const sub of ['far', 'up', 'magic']) {
    assert.match(await eventually(`a refusal of ${sub}`, () => why(`sub-${sub}`)), /leads through a link out of the volume/);
  }
  await daemon.ok('delete', 'pod', '--all', '--wait');
});

test('runAsNonRoot holds, whatever the image calls its user', async () => {
  await image('named', 'USER daemon');
  await image('numbered', 'USER 1234');
  await image('rooted', 'USER 0:1234');
  await image('wrapped', 'USER 4294967296');
  await image('signed', 'USER -1');
  const held = { securityContext: { runAsNonRoot: true } };
  await daemon.apply(
    ...['named', 'numbered', 'rooted', 'wrapped', 'signed', 'busybox'].map((name) =>
      pod(`user-${name}`, { image: name, imagePullPolicy: 'Never', command: ['sh', '-c', 'id -u; sleep 1000'] }, held),
    ),
  );
  assert.match(await eventually('a refusal', () => why('user-named')), /runAsNonRoot and image has non-numeric user \(daemon\)/);
  for (const name of ['rooted', 'busybox']) {
    assert.match(await eventually('a refusal', () => why(`user-${name}`)), /image will run as root/);
  }
  for (const name of ['wrapped', 'signed']) assert.notEqual(await eventually(`a refusal of ${name}`, () => why(`user-${name}`)), '');
  assert.equal(await eventually('the one that may', () => daemon.ok('logs', 'user-numbered')), '1234');
  for (const name of ['wrapped', 'signed', 'rooted', 'named']) {
    assert.equal(await state(`user-${name}`, '.status.containerStatuses[0].started'), 'false', `${name} never ran`);
  }
  await daemon.ok('delete', 'pod', '--all', '--wait');
});

test('a memory hog and a fork bomb die of their limits, and a neighbour goes on', async () => {
  await daemon.apply(
    pod('neighbour', shell('while :; do echo here; sleep 0.2; done')),
    pod('hog', { ...shell('x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done'), resources: { limits: { memory: '32Mi' } } }, { restartPolicy: 'Never' }),
  );
  await eventually('the hog is ended', async () => (await state('hog', '.status.containerStatuses[0].state.terminated.reason')) === 'OOMKilled');
  await docker('run', '-d', '--name', 'bomb', '--pids-limit', '30', 'busybox', 'sh', '-c', 'b() { b | b & }; b; sleep 1000');
  const before = (await daemon.ok('logs', 'neighbour')).length;
  await eventually('the neighbour goes on', async () => (await daemon.ok('logs', 'neighbour')).length > before + 20);
  await docker('rm', '-f', 'bomb');
  await daemon.ok('delete', 'pod', '--all', '--wait');
});

test('no token, key or password is in the log', async () => {
  const token = await daemon.ok('create', 'token', 'default');
  await daemon.kubectl(['--token', token, 'get', 'secrets', '-A']);
  await daemon.kubectl(['--token', `${token}x`, 'get', 'pods']);
  await daemon.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'hush' }, stringData: { password: 'correct-horse-battery' } });
  await daemon.apply(
    pod(
      'tokens',
      {
        ...shell(
          '(echo x > /s/planted) 2>/dev/null && exit 1; cat /s/password /var/run/secrets/kubernetes.io/serviceaccount/token; sleep 1000',
        ),
        volumeMounts: [{ name: 's', mountPath: '/s' }],
        env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'hush', key: 'password' } } }],
      },
      { volumes: [{ name: 's', secret: { secretName: 'hush' } }] },
    ),
  );
  const mounted = await eventually(
    'its token',
    async () => /^correct-horse-battery(\S+\.\S+\.\S+)$/.exec(await daemon.ok('logs', 'tokens'))?.[1],
  );
  await daemon.ok('exec', 'tokens', '--', 'true');
  await runClient('docker', ['login', '-u', 'u', '-p', 'correct-horse-battery', '127.0.0.1:1'], daemon.environment);
  const admin = await readFile(daemon.environment.KUBECONFIG!, 'utf8');
  const log = daemon.log();
  assert.ok(log.length > 0);
  for (const [name, secret] of [
    ['a token', token],
    ['a mounted token', mounted],
    ['the admin’s key', /client-key-data: (\S{40})/.exec(admin)![1]!],
    ['a password', 'correct-horse-battery'],
    ['its base64', Buffer.from('correct-horse-battery').toString('base64')],
  ] as const) {
    assert.ok(!log.includes(secret) && !log.includes(secret.slice(-30)), `${name} is in the log`);
  }
  assert.doesNotMatch(log, /eyJ[\w-]{20,}\.[\w-]{20,}\.|Bearer |PRIVATE KEY/);
  await daemon.ok('delete', 'pod', '--all', '--wait');
});
