import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Endpoint } from '../network/network.ts';
import { ALL_CAPABILITIES, capabilities, capabilityNames } from './capabilities.ts';
import { withoutMountPoints } from './changes.ts';
import { runs32Bit } from './compatibility.ts';
import type { BindRecursion } from './containers.ts';
import { deviceLimits, deviceRule } from './devices.ts';
import { hostsFile, resolvConf } from './etc-files.ts';
import { rlimits } from './machine.ts';
import type { Machine } from './machine.ts';
import { NAME, randomName } from './names.ts';
import { ociMounts } from './oci-mounts.ts';
import type { MountContext, OciMount } from './oci-mounts.ts';
import { mountOf } from './propagation.ts';
import { customSeccomp, defaultSeccomp } from './seccomp.ts';
import { resolveUser } from './users.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ls-root-'));
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/passwd'), '# users\nroot:x:0:0:root:/root:/bin/sh\nweb:x:1000:100::/srv:/bin/sh\n7:x:8:9::/seven:\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nstaff:x:50:web,other\naudio:x:29:web\n');
});
after(() => rm(root, { recursive: true, force: true }));

test('users and groups by name and number', async () => {
  const resolved = async (user: string, more?: (string | number)[]): Promise<unknown> => {
    const { uid, gid, additionalGids, home } = await resolveUser(root, user, more);
    return [uid, gid, additionalGids, home];
  };
  assert.deepEqual(await resolved(''), [0, 0, [0], '/root']);
  assert.deepEqual(await resolved('web'), [1000, 100, [100, 50, 29], '/srv']);
  const strict = await resolveUser(root, 'web', [3], true);
  assert.deepEqual([strict.gid, strict.additionalGids], [100, [100, 3]], "the group file's memberships don't count");
  assert.deepEqual(await resolved('web:audio'), [1000, 29, [29], '/srv']);
  assert.deepEqual(await resolved('1000:7'), [1000, 7, [7], '/srv']);
  assert.deepEqual(await resolved('4242', ['staff', 3]), [4242, 0, [0, 50, 3], '/']);
  assert.deepEqual(await resolved('7'), [8, 9, [9], '/seven'], 'a name made of digits wins');
  await assert.rejects(resolved('nobody'), /unable to find user nobody/);
  await assert.rejects(resolved('web:nogroup'), /unable to find group nogroup/);
  await assert.rejects(resolved('4294967296'), /must be in range/);
  await mkdir(join(root, 'bare'));
  await symlink('/nowhere', join(root, 'bare/etc'));
  assert.equal((await resolveUser(join(root, 'bare'), '12')).uid, 12);
});

test('capabilities: added, dropped, all', () => {
  const of = (capAdd: string[], capDrop: string[], privileged = false): string[] => capabilities({ privileged, capAdd, capDrop }, ALL_CAPABILITIES);
  assert.equal(of([], []).length, 14);
  assert.deepEqual(of(['net_admin'], ['ALL']), ['CAP_NET_ADMIN']);
  assert.equal(of(['ALL'], ['CAP_SYS_ADMIN']).length, ALL_CAPABILITIES.length - 1);
  assert.equal(of([], [], true).length, ALL_CAPABILITIES.length);
  assert.deepEqual(capabilities({ privileged: true, capAdd: [], capDrop: [] }, ['CAP_CHOWN']), ['CAP_CHOWN']);
  assert.throws(() => of(['FLY'], []), /unknown capability: "CAP_FLY"/);
  assert.deepEqual(capabilityNames('00000000a80425fb').sort(), of([], []).sort());
});

test('limits that can not be raised are cut down', () => {
  const machine: Machine = { capabilities: [], oomScoreAdj: 0, hardLimits: new Map([['Max open files', 1000]]), kernel: '6.1.0', recursiveReadOnly: true };
  assert.deepEqual(rlimits([{ name: 'nofile', soft: 500, hard: 5000 }], machine), [{ type: 'RLIMIT_NOFILE', soft: 500, hard: 1000 }]);
  assert.equal(rlimits([{ name: 'nofile', soft: -1, hard: -1 }], { ...machine, capabilities: ['CAP_SYS_RESOURCE'] })[0]!.hard, 2 ** 53 - 1);
});

test('the default filter refuses what it has to, and grows with capabilities', () => {
  const names = (caps: string[]): Set<string> =>
    new Set(
      defaultSeccomp(caps, false, 'x64')
        .syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined)
        .flatMap((rule) => rule.names),
    );
  for (const call of [
    'mount',
    'bpf',
    'kexec_load',
    'init_module',
    'keyctl',
    'open_by_handle_at',
    'io_uring_setup',
    'clone3',
    'clone',
    'unshare',
    'setns',
  ]) {
    assert.ok(!names([]).has(call), call);
  }
  assert.ok(names(['CAP_SYS_ADMIN']).has('mount'));
  assert.ok(names([]).has('openat2'));
  // What only 32-bit programs call is there for them alone.
  const allowed = (narrow: boolean): readonly string[] => defaultSeccomp([], narrow, 'x64').syscalls[0]!.names;
  for (const call of ['socketcall', 'mmap2', 'clock_gettime64']) {
    assert.deepEqual([allowed(false).includes(call), allowed(true).includes(call)], [false, true], call);
  }
  for (const call of ['sendfile', 'timerfd_create', 'cachestat', 'futex_wait', 'fchmodat2']) assert.ok(allowed(false).includes(call), call);
  const custom = customSeccomp(
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['a'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_X'] } },
        { name: 'b', action: 'SCMP_ACT_ERRNO', includes: { minKernel: '99.0' } },
      ],
    }),
    ['CAP_X'],
    '6.1.0',
    'x64',
  );
  assert.deepEqual(custom['syscalls'], []);
});

test('32-bit programs are looked for: the image, a loader, the program itself', async () => {
  const elf = (bits: 1 | 2): Buffer => Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits, 1, 1, 0]);
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'bin'), { recursive: true });
  await writeFile(join(tree, 'bin/wide'), elf(2));
  await writeFile(join(tree, 'bin/narrow'), elf(1));
  await writeFile(join(tree, 'bin/script'), '#!');
  const ask = (program: string, architecture?: string): Promise<boolean> =>
    runs32Bit(tree, { program, path: '/usr/bin:/bin', architecture }, 'x64');
  assert.deepEqual(
    await Promise.all([
      ask('wide'),
      ask('/bin/narrow'),
      ask('narrow'),
      ask('script'),
      ask('missing'),
      ask('wide', '386'),
      ask('wide', 'amd64'),
      ask('/bin'),
    ]),
    [false, true, true, false, false, true, false, false],
  );
  await mkdir(join(tree, 'lib'));
  await symlink('../bin/narrow', join(tree, 'lib/ld-linux.so.2'));
  assert.equal(await ask('wide'), true);
  assert.deepEqual(defaultSeccomp([], true, 'x64').architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
});

test('hosts and resolv.conf', () => {
  const endpoint = { address: '10.0.0.2', gateway: '10.0.0.1' } as Endpoint;
  const hosts = hostsFile(
    { extraHosts: ['db:1.2.3.4', 'six:[::5]', 'host.docker.internal:host-gateway'], domainname: 'example.org' },
    'web',
    [endpoint],
    ['10.0.0.9\tlinked'],
  );
  for (const line of [
    '127.0.0.1\tlocalhost',
    '1.2.3.4\tdb',
    '::5\tsix',
    '10.0.0.1\thost.docker.internal',
    '10.0.0.9\tlinked',
    '10.0.0.2\tweb.example.org web',
  ]) {
    assert.ok(hosts.split('\n').includes(line), line);
  }
  const host = 'nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch corp\noptions edns0\n';
  assert.equal(resolvConf(undefined, host, 'never'), 'nameserver 9.9.9.9\nsearch corp\noptions edns0\n');
  assert.equal(resolvConf(undefined, 'nameserver 127.0.0.53\nnameserver 9.9.9.9\n', 'host'), 'nameserver 127.0.0.53\nnameserver 9.9.9.9\n');
  assert.equal(resolvConf(undefined, host, 'always'), 'nameserver 127.0.0.11\nsearch corp\noptions edns0 ndots:0\n');
  assert.equal(resolvConf(undefined, 'nameserver 127.0.0.1\n', 'for-want-of-others'), 'nameserver 127.0.0.11\n');
  assert.equal(resolvConf({ servers: ['1.1.1.1'], search: ['a', 'b'], options: [] }, host, 'never'), 'nameserver 1.1.1.1\nsearch a b\noptions edns0\n');
});

/** A container that asks for nothing. */
const MOUNTS: MountContext = {
  privileged: false,
  cgroupVersion: 2,
  ipc: 'private',
  shm: undefined,
  shmBytes: undefined,
  writableCgroups: false,
  recursiveReadOnly: true,
  files: [],
  readOnlyRoot: false,
  mounts: [],
};

test("mounts: a user's replaces ours, outer ones come first", () => {
  const mounts = ociMounts({
    ...MOUNTS,
    mounts: [
      { type: 'bind', source: '/b', target: '/a/b', readOnly: true },
      { type: 'bind', source: '/a', target: '/a/', readOnly: false },
      { type: 'tmpfs', target: '/dev/shm', sizeBytes: 5 },
    ],
  });
  const targets = mounts.map((mount) => mount.destination);
  assert.ok(targets.indexOf('/a') < targets.indexOf('/a/b'));
  assert.equal(targets.filter((target) => target === '/dev/shm').length, 1);
  assert.ok(mounts.find((mount) => mount.destination === '/a/b')!.options.includes('ro'));
});

test('mounts beneath a bind mount, options of tmpfs, shared memory', () => {
  const of = (more: Partial<MountContext>): readonly OciMount[] => ociMounts({ ...MOUNTS, ...more });
  const at = (target: string, more: Partial<MountContext>): OciMount | undefined => of(more).find((mount) => mount.destination === target);
  const bound = (recursion: BindRecursion | undefined, recursiveReadOnly = true): readonly string[] =>
    at('/t', {
      recursiveReadOnly,
      mounts: [{ type: 'bind', source: '/s', target: '/t', readOnly: true, ...(recursion === undefined ? {} : { recursion }) }],
    })!.options;
  assert.deepEqual(
    [bound(undefined), bound('writable'), bound('none'), bound('readonly'), bound(undefined, false)],
    [
      ['rbind', 'rprivate', 'ro', 'rro'],
      ['rbind', 'rprivate', 'ro'],
      ['bind', 'rprivate', 'ro'],
      ['rbind', 'rprivate', 'ro', 'rro'],
      ['rbind', 'rprivate', 'ro'],
    ],
  );
  assert.throws(() => bound('readonly', false), /the kernel can't make the mounts beneath \/s read-only/);
  assert.deepEqual(at('/t', { mounts: [{ type: 'tmpfs', target: '/t', mode: 0o700, options: ['exec', 'noatime', 'uid=5'] }] })!.options, [
    'nosuid',
    'nodev',
    'rw',
    'noatime',
    'uid=5',
    'mode=700',
  ]);
  assert.equal(at('/dev/shm', { shm: 'none' }), undefined);
  assert.deepEqual(
    [at('/dev/shm', { ipc: 'container:a', shm: '/folder' })!.source, at('/dev/shm', { ipc: 'host' })!.source, at('/dev/shm', {})!.source],
    ['/folder', '/dev/shm', 'shm'],
  );
  assert.ok(at('/sys/fs/cgroup', { writableCgroups: true })!.options.includes('rw'));
});

test('the mount in which a path lies', () => {
  const mountinfo =
    '1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw\n2 1 0:2 / /data rw - tmpfs tmpfs rw\n3 1 0:3 / /with\\040space rw master:7 - tmpfs tmpfs rw\n4 2 0:4 / /data rw shared:9 - tmpfs tmpfs rw\n';
  assert.deepEqual(
    ['/etc', '/data', '/data/x', '/database', '/with space/x'].map((path) => mountOf(mountinfo, path)),
    [
      { target: '/', peers: 'shared:1' },
      { target: '/data', peers: 'shared:9' },
      { target: '/data', peers: 'shared:9' },
      { target: '/', peers: 'shared:1' },
      { target: '/with space', peers: 'master:7' },
    ],
  );
});

test('limits of devices are of what is at their paths', async () => {
  assert.deepEqual(await deviceLimits([]), {});
  await assert.rejects(deviceLimits([{ limit: 'readBps', path: '/dev/nowhere', rate: 1 }]), /stat \/dev\/nowhere: no such file or directory/);
  await assert.rejects(deviceLimits([{ limit: 'writeIops', path: '/dev/null', rate: 1 }]), /\/dev\/null is no block device/);
});

test('rules of devices', () => {
  assert.deepEqual(deviceRule('c 1:3 rwm'), { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' });
  assert.deepEqual(deviceRule('a *:* m'), { allow: true, type: 'a', access: 'm' });
  for (const wrong of ['', 'c 1 r', 'x 1:1 r', 'c 1:1 q', 'c 1:1 rwmr', 'c -1:1 r']) assert.equal(deviceRule(wrong), undefined);
});

test('names can be said and are names', () => {
  let n = 0;
  const random = { bytes: (length: number): Buffer => Buffer.alloc(length, (n += 37) % 256) };
  for (let i = 0; i < 50; i++) assert.match(randomName(random, i % 3), NAME);
});

test('changes without the places that are mounted on', () => {
  assert.deepEqual(
    withoutMountPoints([
      { path: '/etc', kind: 0 },
      { path: '/etc/hosts', kind: 1 },
    ]),
    [],
  );
  assert.deepEqual(
    withoutMountPoints([
      { path: '/etc', kind: 0 },
      { path: '/etc/hosts', kind: 1 },
      { path: '/etc/x', kind: 2 },
    ]),
    [
      { path: '/etc', kind: 0 },
      { path: '/etc/x', kind: 2 },
    ],
  );
  assert.deepEqual(withoutMountPoints([{ path: '/etc', kind: 0 }]), [{ path: '/etc', kind: 0 }]);
});
