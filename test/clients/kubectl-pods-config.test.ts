import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, pod, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];
let folder: string;

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
  folder = await mkdtemp('/tmp/lsk-host-');
  await platform.apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { color: 'blue', 'file.conf': 'a=1\n' },
      binaryData: { raw: Buffer.from([0, 255, 10]).toString('base64') },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'hidden' }, stringData: { password: 'p$w', user: 'me' } },
  );
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
  await platform.close();
});

const inside = (name: string, command: string): Promise<string> => ok('exec', name, '--', 'sh', '-c', command);
const ready = (...names: string[]): Promise<string> => ok('wait', '--for=condition=Ready', ...names.map((name) => `pod/${name}`), '--timeout=60s');
const field = (name: string, path: string): Promise<string> => ok('get', 'pod', name, '-o', `jsonpath={${path}}`);
const SLEEP = { command: ['sleep', '1000'] };
/** A pod with volumes, each mounted at /<its name> unless `mounts` says more. */
const withVolumes = (name: string, volumes: readonly { readonly name: string }[], container: object = {}, spec: object = {}): object =>
  pod(
    name,
    { ...SLEEP, volumeMounts: volumes.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` })), ...container },
    { volumes, ...spec },
  );
const waiting = (name: string, reason: string): Promise<unknown> =>
  eventually(
    `${name} waits for ${reason}`,
    async () => (await field(name, '.status.containerStatuses[0].state.waiting.reason')) === reason,
  );

test('the environment comes from values, ConfigMaps, Secrets, fields and resources, with $(NAME) expanded', async () => {
  await platform.apply(
    pod(
      'env',
      {
        // A shell passes on only names that it likes.
        command: ['sh', '-c', "tr '\\0' '\\n' < /proc/self/environ; echo args \"$@\"; sleep 1000", 'sh'],
        args: ['$(FIRST)', '$$(FIRST)', '$(NONE)'],
        envFrom: [
          { prefix: 'CM_', configMapRef: { name: 'settings' } },
          { secretRef: { name: 'hidden' } },
          { configMapRef: { name: 'none', optional: true } },
        ],
        env: [
          { name: 'FIRST', value: 'one' },
          { name: 'SECOND', value: '$(FIRST)-$(CM_color)-$(LATER)-$$(FIRST)' },
          { name: 'LATER', value: 'late' },
          { name: 'FROM_MAP', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
          { name: 'FROM_SECRET', valueFrom: { secretKeyRef: { name: 'hidden', key: 'password' } } },
          { name: 'OPTIONAL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'none', optional: true } } },
          ...(
            [
              ['NAME', 'metadata.name'],
              ['SPACE', 'metadata.namespace'],
              ['UID', 'metadata.uid'],
              ['LABEL', "metadata.labels['app']"],
              ['NODE', 'spec.nodeName'],
              ['ACCOUNT', 'spec.serviceAccountName'],
              ['POD_IP', 'status.podIP'],
              ['HOST_IP', 'status.hostIP'],
            ] as const
          ).map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } })),
          ...(
            [
              ['CPU_LIMIT', 'limits.cpu', '1m'],
              ['CPU_REQUEST', 'requests.cpu', '1m'],
              ['MEMORY_MI', 'limits.memory', '1Mi'],
              ['MEMORY_REQUEST', 'requests.memory', '0'],
            ] as const
          ).map(([name, resource, divisor]) => ({ name, valueFrom: { resourceFieldRef: { resource, divisor } } })),
        ],
        resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { cpu: '250m', memory: '64Mi' } },
      },
      {},
      { labels: { app: 'env' } },
    ),
  );
  await ready('env');
  const lines = new Set((await ok('logs', 'env')).split('\n'));
  const [uid, podIp, hostIp] = (await ok('get', 'pod', 'env', '-o', 'jsonpath={.metadata.uid} {.status.podIP} {.status.hostIP}')).split(
    ' ',
  );
  for (const line of [
    'FIRST=one',
    'SECOND=one-blue-$(LATER)-$(FIRST)',
    'FROM_MAP=blue',
    'FROM_SECRET=p$w',
    'CM_color=blue',
    'CM_file.conf=a=1',
    'password=p$w',
    'user=me',
    'NAME=env',
    'SPACE=default',
    `UID=${uid}`,
    'LABEL=env',
    'NODE=node-1',
    'ACCOUNT=default',
    `POD_IP=${podIp}`,
    `HOST_IP=${hostIp}`,
    'CPU_LIMIT=250',
    'CPU_REQUEST=50',
    'MEMORY_MI=64',
    'MEMORY_REQUEST=16777216',
    'args one $(FIRST) $(NONE)',
    'KUBERNETES_SERVICE_PORT=443',
  ]) {
    assert.ok(lines.has(line), `${line} is not among ${[...lines].join('\n')}`);
  }
  assert.ok(![...lines].some((line) => line.startsWith('OPTIONAL')));
  assert.equal(await field('env', '.status.qosClass'), 'Burstable');
  await ok('delete', 'pod', 'env', '--now');
});

test('a container whose ConfigMap or key is missing waits, says why, and starts when it is there', async () => {
  await platform.apply(pod('lacks', { ...SLEEP, env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'later', key: 'a' } } }] }));
  await waiting('lacks', 'CreateContainerConfigError');
  assert.match(await field('lacks', '.status.containerStatuses[0].state.waiting.message'), /configmaps? "later" not found/);
  await ok('create', 'configmap', 'later', '--from-literal=b=1');
  await eventually('it misses the key', async () =>
    /couldn't find key a in ConfigMap default\/later/.test(await field('lacks', '.status.containerStatuses[0].state.waiting.message')),
  );
  await ok('patch', 'configmap', 'later', '-p', '{"data":{"a":"1"}}');
  await ready('lacks');
  assert.equal(await inside('lacks', 'echo $A'), '1');
  await ok('delete', 'pod', 'lacks', '--now');
});

test('ConfigMaps and Secrets as files: items, modes, optional, subPath, projected with a token and fields', async () => {
  await platform.apply(
    withVolumes(
      'files',
      [
        { name: 'whole', configMap: { name: 'settings', defaultMode: 0o440 } },
        { name: 'items', configMap: { name: 'settings', items: [{ key: 'file.conf', path: 'deep/er.conf', mode: 0o400 }] } },
        { name: 'secret', secret: { secretName: 'hidden' } },
        { name: 'none', secret: { secretName: 'nowhere', optional: true } },
        {
          name: 'down',
          downwardAPI: {
            items: [
              { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
              { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'requests.cpu', divisor: '1m' } },
            ],
          },
        },
        {
          name: 'mixed',
          projected: {
            sources: [
              { configMap: { name: 'settings', items: [{ key: 'color', path: 'color' }] } },
              { secret: { name: 'hidden', items: [{ key: 'user', path: 'user' }] } },
              { serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 600 } },
              { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
            ],
          },
        },
      ] as never,
      {
        resources: { requests: { cpu: '70m' } },
        volumeMounts: [
          ...['whole', 'items', 'secret', 'none', 'down', 'mixed'].map((name) => ({ name, mountPath: `/${name}` })),
          { name: 'whole', mountPath: '/etc/one.conf', subPath: 'file.conf' },
        ],
      },
      {},
    ),
  );
  await ready('files');
  assert.equal(await inside('files', 'cat /whole/color; echo; stat -Lc %a /whole/color; od -An -tx1 /whole/raw'), 'blue\n440\n 00 ff 0a');
  assert.equal(await inside('files', 'cat /items/deep/er.conf; stat -Lc %a /items/deep/er.conf; ls /items'), 'a=1\n400\ndeep');
  assert.equal(await inside('files', 'cat /secret/password; ls /none | wc -l; cat /etc/one.conf'), 'p$w0\na=1');
  assert.equal(await inside('files', 'cat /down/cpu'), '70');
  assert.equal(await inside('files', 'cat /mixed/color; echo; cat /mixed/user; echo; cat /mixed/name'), 'blue\nme\nfiles');
  const claims = JSON.parse(Buffer.from((await inside('files', 'cat /mixed/token')).split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
  assert.deepEqual([claims['aud'], claims['sub']], [['vault'], 'system:serviceaccount:default:default']);
  const mountedRo = await platform.kubectl(['exec', 'files', '--', 'sh', '-c', 'echo x > /whole/color']);
  assert.notEqual(mountedRo.code, 0, 'a ConfigMap is read-only');
  // Changes reach the running pod; what is mounted by subPath stays.
  await ok('patch', 'configmap', 'settings', '-p', '{"data":{"color":"green","file.conf":"a=2\\n"}}');
  await ok('label', 'pod', 'files', 'tier=front');
  await eventually(
    'the files follow',
    async () =>
      (await inside('files', 'cat /whole/color /items/deep/er.conf')) === 'greena=2' &&
      (await inside('files', 'cat /down/labels')).includes('tier="front"'),
    70_000,
  );
  assert.equal(await inside('files', 'cat /etc/one.conf'), 'a=1');
  await ok('delete', 'pod', 'files', '--now');
});

test('emptyDir is shared, survives a restart, is memory where asked for, and has its size', async () => {
  const volumes = [{ name: 'disk', emptyDir: {} }, { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '2Mi' } }];
  const mounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  await platform.apply(
    pod(
      'empty',
      {},
      {
        volumes,
        containers: [
          { name: 'main', image: 'busybox', ...SLEEP, volumeMounts: mounts },
          { name: 'beside', image: 'busybox', ...SLEEP, volumeMounts: mounts },
        ],
      },
    ),
  );
  await ready('empty');
  await ok('exec', 'empty', '-c', 'beside', '--', 'sh', '-c', 'echo kept > /disk/note');
  assert.equal(await inside('empty', 'cat /disk/note; stat -c %a /disk; grep " /memory " /proc/mounts | cut -d" " -f1,3'), 'kept\n777\ntmpfs tmpfs');
  assert.notEqual((await platform.kubectl(['exec', 'empty', '--', 'sh', '-c', 'head -c 4000000 /dev/zero > /memory/big'])).code, 0);
  assert.equal(await inside('empty', 'stat -c %s /memory/big'), String(2 * 2 ** 20));
  const main = await field('empty', '.status.containerStatuses[?(@.name=="main")].containerID');
  await platform.kubectl(['exec', 'empty', '-c', 'main', '--', 'sh', '-c', 'kill -9 -1; kill 1']);
  await ok('exec', 'empty', '-c', 'beside', '--', 'cat', '/disk/note');
  assert.ok(main);
  await ok('delete', 'pod', 'empty', '--now');
  const own = `${platform.home.root}/node/pods`;
  await eventually('its folder is gone', async () => (await import('node:fs/promises')).readdir(own).then((names) => names.length === 0));
});

test('an emptyDir that outgrows its limit has the pod evicted', async () => {
  await platform.apply(
    withVolumes('grows', [{ name: 'disk', emptyDir: { sizeLimit: '1Mi' } }] as never, {
      command: ['sh', '-c', 'head -c 3000000 /dev/zero > /disk/big; sleep 1000'],
    }),
  );
  await eventually('it is evicted', async () => (await field('grows', '.status.phase')) === 'Failed', 60_000);
  assert.equal(await field('grows', '.status.reason'), 'Evicted');
  assert.match(await field('grows', '.status.message'), /Usage of EmptyDir volume "disk" exceeds the limit "1Mi"/);
  await ok('delete', 'pod', 'grows', '--now');
});

test('hostPath by type', async () => {
  await writeFile(join(folder, 'file'), 'content');
  await symlink('/etc', join(folder, 'link'));
  const socket = createServer().listen(join(folder, 'socket'));
  const volumes = (
    [
      ['made', 'DirectoryOrCreate'],
      ['touched', 'FileOrCreate'],
      ['file', 'File'],
      ['socket', 'Socket'],
      ['unchecked', ''],
    ] as const
  ).map(([name, type]) => ({ name, hostPath: { path: join(folder, name), type } }));
  await platform.apply(withVolumes('host', [...volumes, { name: 'null', hostPath: { path: '/dev/null', type: 'CharDevice' } }] as never));
  await ready('host');
  assert.equal(
    await inside(
      'host',
      'cat /file; echo; echo x > /made/a; echo y > /touched; test -S /socket && echo socket; test -c /null && echo device',
    ),
    'content\nsocket\ndevice',
  );
  assert.equal((await stat(join(folder, 'made/a'))).size, 2);
  assert.equal((await stat(join(folder, 'touched'))).size, 2);
  await ok('delete', 'pod', 'host', '--now');
  assert.equal((await stat(join(folder, 'made/a'))).size, 2, 'a pod that goes leaves the host its files');
  socket.close();
  for (const [type, path, why] of [
    ['Directory', 'missing', /hostPath type check failed: .*missing/],
    ['Directory', 'file', /is not a directory/],
    ['File', 'made', /is not a file/],
  ] as const) {
    await platform.apply(withVolumes('wrong', [{ name: 'v', hostPath: { path: join(folder, path), type } }] as never));
    await eventually(`${type} ${path} is refused`, async () =>
      why.test(await ok('get', 'events', '--field-selector', 'involvedObject.name=wrong,reason=FailedMount')),
    );
    await ok('delete', 'pod', 'wrong', '--now');
    await ok('delete', 'events', '--field-selector', 'involvedObject.name=wrong');
  }
});

test('subPath and subPathExpr stay inside of their volume', async () => {
  await platform.apply(
    pod(
      'sub',
      {
        ...SLEEP,
        env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        volumeMounts: [
          { name: 'v', mountPath: '/all' },
          { name: 'v', mountPath: '/a', subPath: 'one/two' },
          { name: 'v', mountPath: '/b', subPathExpr: 'logs/$(POD)' },
          { name: 'v', mountPath: '/ro', subPath: 'one', readOnly: true },
        ],
      },
      { volumes: [{ name: 'v', emptyDir: {} }] },
    ),
  );
  await ready('sub');
  assert.equal(await inside('sub', 'echo 1 > /a/x; echo 2 > /b/y; cat /all/one/two/x /all/logs/sub/y'), '1\n2');
  assert.notEqual((await platform.kubectl(['exec', 'sub', '--', 'touch', '/ro/z'])).code, 0);
  await ok('delete', 'pod', 'sub', '--now');
  await platform.apply(
    pod(
      'out',
      { ...SLEEP, volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'link/passwd' }] },
      { volumes: [{ name: 'v', hostPath: { path: folder } }] },
    ),
  );
  await waiting('out', 'CreateContainerConfigError');
  await ok('delete', 'pod', 'out', '--now');
});
