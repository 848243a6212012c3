import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { eventually, pod, runClient, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform();
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

const inside = (name: string, command: string, container = 'main'): Promise<string> => ok('exec', name, '-c', container, '--', 'sh', '-c', command);
const ready = (...names: string[]): Promise<string> => ok('wait', '--for=condition=Ready', ...names.map((name) => `pod/${name}`), '--timeout=60s');
const field = (name: string, path: string): Promise<string> => ok('get', 'pod', name, '-o', `jsonpath={${path}}`);
const remove = (...names: string[]): Promise<string> => ok('delete', 'pod', ...names, '--now');
const SLEEP = { command: ['sleep', '1000'] };
const status = async (name: string, key: string): Promise<string> => (await inside(name, `grep ^${key}: /proc/1/status`)).split('\t').slice(1).join(' ');
/** All that this machine's root has. */
const ALL_CAPABILITIES = /^CapEff:\t(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];

test('requests and limits reach the control groups, and make the quality of service', async () => {
  const resources = { requests: { cpu: '200m', memory: '32Mi' }, limits: { cpu: '500m', memory: '64Mi' } };
  await platform.apply(
    pod('burst', { ...SLEEP, resources }),
    pod('sure', { ...SLEEP, resources: { limits: { cpu: '100m', memory: '32Mi' } } }),
    pod('free', SLEEP),
  );
  await ready('burst', 'sure', 'free');
  assert.deepEqual(await Promise.all(['burst', 'sure', 'free'].map((name) => field(name, '.status.qosClass'))), ['Burstable', 'Guaranteed', 'BestEffort']);
  const version2 = (await inside('burst', 'test -e /sys/fs/cgroup/cgroup.controllers && echo 2 || echo 1')) === '2';
  const read = (name: string, v1: string, v2: string): Promise<string> => inside(name, `cat /sys/fs/cgroup/${version2 ? v2 : v1}`);
  assert.equal(await read('burst', 'memory/memory.limit_in_bytes', 'memory.max'), String(64 * 2 ** 20));
  assert.equal(
    version2
      ? await read('burst', '', 'cpu.max')
      : await inside('burst', 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us'),
    version2 ? '50000 100000' : '50000\n100000',
  );
  if (!version2) {
    assert.deepEqual(await Promise.all(['burst', 'sure', 'free'].map((name) => read(name, 'cpu/cpu.shares', ''))), ['204', '102', '2']);
  }
  // Less than our own only with the capability for it.
  assert.match(await inside('sure', 'cat /proc/1/oom_score_adj'), /^(-997|0)$/);
  assert.equal(await inside('free', 'cat /proc/1/oom_score_adj'), '1000');
  const path = await inside('burst', 'cat /proc/1/cgroup');
  assert.match(path, new RegExp(`kubepods/burstable/pod${await field('burst', '.metadata.uid')}`));
  await remove('burst', 'sure', 'free');
});

test('what uses more memory than its limit is killed, and told so', async () => {
  await platform.apply(pod('hungry', { command: ['sh', '-c', 'exec tail /dev/zero'], resources: { limits: { memory: '20Mi' } } }, { restartPolicy: 'Never' }));
  await ok('wait', '--for=jsonpath={.status.phase}=Failed', 'pod/hungry', '--timeout=60s');
  assert.equal(
    await ok(
      'get',
      'pod',
      'hungry',
      '-o',
      'jsonpath={.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}',
    ),
    'OOMKilled 137',
  );
  assert.match(await ok('get', 'pod', 'hungry'), /OOMKilled/);
  await remove('hungry');
});

test('users, groups and fsGroup', async () => {
  const volumes = [{ name: 'v', emptyDir: {} }, { name: 's', secret: { secretName: 'sealed' } }];
  const volumeMounts = [{ name: 'v', mountPath: '/v' }, { name: 's', mountPath: '/s' }];
  await ok('create', 'secret', 'generic', 'sealed', '--from-literal=a=1');
  await platform.apply(
    pod(
      'who',
      { ...SLEEP, volumeMounts },
      { volumes, securityContext: { runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456, supplementalGroups: [4567], runAsNonRoot: true } },
    ),
    pod('own', { ...SLEEP, securityContext: { runAsUser: 99 } }, { securityContext: { runAsUser: 1234 } }),
  );
  await ready('who', 'own');
  assert.equal(await inside('who', 'id -u; id -g; id -G'), '1234\n2345\n2345 3456 4567');
  assert.equal(await inside('who', 'touch /v/f; stat -c "%g %a" /v; stat -c %g /v/f; cat /s/a; stat -Lc "%g %a" /s/a'), '3456 2777\n3456\n13456 644');
  assert.equal(await inside('own', 'id -u; id -g'), '99\n0');
  assert.deepEqual(JSON.parse(await field('who', '.status.containerStatuses[0].user.linux')), { uid: 1234, gid: 2345, supplementalGroups: [2345, 3456, 4567] });
  await remove('who', 'own');
});

test("supplementalGroupsPolicy: Strict leaves out the groups of the image's own group file", async () => {
  const docker = async (...args: string[]): Promise<void> => {
    const ran = await runClient('docker', args, { DOCKER_HOST: `unix://${platform.home.dockerSocket}`, HOME: platform.home.root });
    assert.equal(ran.code, 0, ran.stderr);
  };
  const database = 'echo web:x:1000:100::/:/bin/sh >> /etc/passwd; echo staff:x:50:web >> /etc/group';
  await docker('run', '--name', 'grouped', 'busybox', 'sh', '-c', database);
  await docker('commit', 'grouped', 'grouped:1');
  await docker('rm', 'grouped');
  const securityContext = { runAsUser: 1000, supplementalGroups: [4567] };
  const container = { ...SLEEP, image: 'grouped:1' };
  await platform.apply(
    pod('merged', container, { securityContext }),
    pod('strict', container, { securityContext: { ...securityContext, supplementalGroupsPolicy: 'Strict' } }),
  );
  await ready('merged', 'strict');
  const groups = async (name: string): Promise<string[]> => [await status(name, 'Groups'), await inside(name, 'id -G')].map((line) => line.trim());
  assert.deepEqual(await groups('merged'), ['50 100 4567', '100 50 4567']);
  assert.deepEqual(await groups('strict'), ['100 4567', '100 4567']);
  assert.deepEqual(JSON.parse(await field('strict', '.status.containerStatuses[0].user.linux')), { uid: 1000, gid: 100, supplementalGroups: [100, 4567] });
  await remove('merged', 'strict');
});

test('runAsNonRoot is refused for root, with the reason', async () => {
  await platform.apply(
    pod('image', SLEEP, { securityContext: { runAsNonRoot: true } }),
    pod('zero', { ...SLEEP, securityContext: { runAsUser: 0, runAsNonRoot: true } }),
  );
  for (const [name, message] of [
    ['image', /container has runAsNonRoot and image will run as root/],
    ['zero', /container's runAsUser breaks non-root policy/],
  ] as const) {
    await eventually(
      `${name} waits`,
      async () => (await field(name, '.status.containerStatuses[0].state.waiting.reason')) === 'CreateContainerConfigError',
    );
    assert.match(await field(name, '.status.containerStatuses[0].state.waiting.message'), message);
    assert.match(await ok('get', 'events', '--field-selector', `involvedObject.name=${name},reason=Failed`), message);
  }
  await remove('image', 'zero');
});

test('a root that can not be written, capabilities, privileges and seccomp', async () => {
  await platform.apply(
    pod('sealed', {
      ...SLEEP,
      securityContext: {
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
    }),
    pod('more', {
      ...SLEEP,
      securityContext: { capabilities: { add: ['NET_ADMIN', 'SYS_TIME'], drop: ['CHOWN'] }, seccompProfile: { type: 'Unconfined' } },
    }),
    pod('all', { ...SLEEP, securityContext: { capabilities: { add: ['ALL'] } } }),
    pod('powerful', { ...SLEEP, securityContext: { privileged: true } }),
  );
  await ready('sealed', 'more', 'all', 'powerful');
  assert.notEqual((await platform.kubectl(['exec', 'sealed', '--', 'touch', '/x'])).code, 0);
  assert.deepEqual([await status('sealed', 'CapEff'), await status('sealed', 'NoNewPrivs'), await status('sealed', 'Seccomp')], ['0000000000000400', '1', '2']);
  await inside('more', 'ip link set lo mtu 1400');
  assert.notEqual((await platform.kubectl(['exec', 'more', '--', 'chown', '1', '/tmp'])).code, 0);
  assert.equal(await status('more', 'Seccomp'), '0');
  assert.deepEqual([await status('all', 'CapEff'), await status('powerful', 'CapEff')], [ALL_CAPABILITIES, ALL_CAPABILITIES]);
  assert.equal(
    await inside(
      'powerful',
      "mount -t tmpfs none /mnt 2>/dev/null || mkdir /mnt && mount -t tmpfs none /mnt; ls /dev | wc -l | awk '{print ($1 > 20)}'",
    ),
    '1',
  );
  await remove('sealed', 'more', 'all', 'powerful');
});

test("a seccomp profile of the node's own", async () => {
  await mkdir(`${platform.home.node}/seccomp`, { recursive: true });
  await writeFile(
    `${platform.home.node}/seccomp/no-folders.json`,
    JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }] }),
  );
  await platform.apply(
    pod('filtered', { ...SLEEP, securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'no-folders.json' } } }),
  );
  await ready('filtered');
  await inside('filtered', 'touch /file');
  assert.match((await platform.kubectl(['exec', 'filtered', '--', 'mkdir', '/folder'])).stderr, /not permitted/);
  await remove('filtered');
});

test('what can not be had is refused rather than left out', async () => {
  await platform.apply(pod('local', { ...SLEEP, securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'mine.json' } } }));
  await eventually('it waits', async () => /Error/.test(await field('local', '.status.containerStatuses[0].state.waiting.reason')));
  assert.match(await field('local', '.status.containerStatuses[0].state.waiting.message'), /mine\.json/);
  await platform.apply(pod('users', SLEEP, { hostUsers: false }));
  await eventually('it is told', async () => /user namespaces/.test(await ok('get', 'events', '--field-selector', 'involvedObject.name=users')));
  assert.notEqual(await field('users', '.status.phase'), 'Running');
  await remove('local', 'users');
});

test('names: hostname, subdomain, hostAliases, dnsPolicy and dnsConfig', async () => {
  await platform.apply(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'sub' },
      spec: { clusterIP: 'None', selector: { app: 'named' }, publishNotReadyAddresses: true },
    },
    pod(
      'named',
      SLEEP,
      {
        hostname: 'one',
        subdomain: 'sub',
        hostAliases: [{ ip: '192.0.2.7', hostnames: ['foo.local', 'bar.local'] }],
        dnsConfig: { nameservers: ['192.0.2.53'], searches: ['my.search'], options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] },
      },
      { labels: { app: 'named' } },
    ),
    pod('none', SLEEP, { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.53'], searches: ['only.this'] } }),
    pod('fqdn', SLEEP, { hostname: 'two', subdomain: 'sub', setHostnameAsFQDN: true }),
    pod('hostnet', SLEEP, { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet', hostAliases: [{ ip: '192.0.2.8', hostnames: ['alias.local'] }] }),
  );
  await ready('named', 'none', 'fqdn', 'hostnet');
  assert.equal(await inside('named', 'hostname; cat /etc/hostname'), 'one\none');
  const hosts = await inside('named', 'cat /etc/hosts');
  assert.match(hosts, /192\.0\.2\.7\tfoo\.local\tbar\.local/);
  assert.match(hosts, new RegExp(`${await field('named', '.status.podIP')}\tone\\.sub\\.default\\.svc\\.cluster\\.local\tone`));
  const resolv = await inside('named', 'cat /etc/resolv.conf');
  assert.match(resolv, /^nameserver 10\.[0-9.]+\nnameserver 192\.0\.2\.53\n/);
  assert.match(resolv, /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local .*my\.search$/m);
  assert.match(resolv, /^options ndots:2 edns0$/m);
  assert.equal(await inside('none', 'cat /etc/resolv.conf'), 'nameserver 192.0.2.53\nsearch only.this');
  assert.equal(await inside('fqdn', 'hostname'), 'two.sub.default.svc.cluster.local');
  assert.match(await inside('hostnet', 'cat /etc/resolv.conf'), /search default\.svc\.cluster\.local/);
  assert.match(await inside('hostnet', 'cat /etc/hosts'), /192\.0\.2\.8\talias\.local/);
  await eventually('its name is known', async () =>
    (await inside('fqdn', 'nslookup one.sub.default.svc.cluster.local')).includes(await field('named', '.status.podIP')),
  );
  await remove('named', 'none', 'fqdn', 'hostnet');
});

test('imagePullPolicy', async () => {
  await platform.apply(
    pod('never', { ...SLEEP, image: 'not-here:1', imagePullPolicy: 'Never' }),
    pod('absent', { ...SLEEP, image: '127.0.0.1:1/not-there:1', imagePullPolicy: 'IfNotPresent' }),
    pod('always', { ...SLEEP, image: '127.0.0.1:1/not-there:1', imagePullPolicy: 'Always' }),
    pod('wrong', { ...SLEEP, image: 'UPPER CASE' }),
  );
  const reason = (name: string): Promise<string> => field(name, '.status.containerStatuses[0].state.waiting.reason');
  await eventually('Never gives up', async () => (await reason('never')) === 'ErrImageNeverPull');
  assert.match(
    await field('never', '.status.containerStatuses[0].state.waiting.message'),
    /Container image "not-here:1" is not present with pull policy of Never/,
  );
  for (const name of ['absent', 'always']) await eventually(`${name} backs off`, async () => (await reason(name)) === 'ImagePullBackOff');
  assert.match(await ok('get', 'events', '--field-selector', 'involvedObject.name=absent'), /Failed to pull image "127\.0\.0\.1:1\/not-there:1"/);
  await eventually('the name is invalid', async () => (await reason('wrong')) === 'InvalidImageName');
  await remove('never', 'absent', 'always', 'wrong');
});
