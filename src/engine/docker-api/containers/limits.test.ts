import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupAbilities, CgroupLimits } from '../../containers/containers.ts';
import type { HostConfig } from './config.ts';
import { deviceLimitsOf, keptLimits, limitsOf } from './limits.ts';
import { logRotation } from './logging.ts';
import { securityOf } from './security.ts';
import { parseTmpfs, tmpfsOptions } from './tmpfs.ts';

const ALL: CgroupAbilities = {
  swap: true,
  memoryReservation: true,
  memorySwappiness: true,
  oomKillDisable: true,
  blockIoWeight: true,
  blockIoWeightDevices: true,
  blockIoRates: true,
  cpus: '0-3,8',
  memoryNodes: '0',
};
const NONE: CgroupAbilities = {
  swap: false,
  memoryReservation: false,
  memorySwappiness: false,
  oomKillDisable: false,
  blockIoWeight: false,
  blockIoWeightDevices: false,
  blockIoRates: false,
  cpus: undefined,
  memoryNodes: undefined,
};
const of = (host: HostConfig, isUpdate = false): CgroupLimits => limitsOf(host, { abilities: ALL, warnings: [], isUpdate });
const MB = 1 << 20;

test('swap follows memory at creation, and is let be by an update', () => {
  assert.deepEqual(of({ Memory: 64 * MB }), { memoryBytes: 64 * MB, memorySwapBytes: 128 * MB });
  assert.deepEqual(of({ Memory: 64 * MB, MemorySwap: -1 }), { memoryBytes: 64 * MB });
  assert.deepEqual(of({ Memory: 64 * MB }, true), { memoryBytes: 64 * MB });
  assert.deepEqual(of({ MemorySwap: -1 }, true), { memorySwapBytes: -1 });
});

test('no limit of processes: nothing to say at a creation, taken away by an update', () => {
  assert.deepEqual(of({ PidsLimit: -1 }), {});
  assert.deepEqual([of({ PidsLimit: 0 }, true), of({ PidsLimit: null }, true), of({ PidsLimit: 7 }, true)], [{ pids: -1 }, {}, { pids: 7 }]);
});

test('what contradicts itself, or is not there, is refused', () => {
  const refused: readonly (readonly [HostConfig, RegExp])[] = [
    [{ NanoCpus: 1e9, CpuQuota: 5000 }, /Nano CPUs and CPU Quota cannot both be set/],
    [{ CpusetCpus: '2-8' }, /Requested CPUs are not available - requested 2-8, available: 0-3,8/],
    [{ CpusetCpus: '3-1' }, /Invalid value 3-1 for cpuset cpus/],
    [{ CpusetMems: '0,1' }, /Requested memory nodes are not available - requested 0,1, available: 0/],
    [{ MemorySwappiness: 101 }, /valid memory swappiness range is 0-100/],
    [{ MemoryReservation: 1 }, /Minimum memory reservation allowed is 6MB/],
    [{ BlkioWeight: 1001 }, /Range of blkio weight is from 10 to 1000/],
    [{ BlkioWeightDevice: [{ Path: '/dev/nowhere', Weight: 5 }] }, /the weight is from 10 to 1000/],
    [{ BlkioDeviceReadBps: [{ Path: 'sda', Rate: 5 }] }, /invalid --device-read-bps: a path and a whole number are wanted/],
  ];
  for (const [host, says] of refused) assert.throws(() => [of(host), deviceLimitsOf(host, { abilities: ALL, warnings: [] })], says);
  assert.deepEqual(of({ CpusetCpus: '1-3,8', CpusetMems: '0' }), { cpusetCpus: '1-3,8', cpusetMems: '0' });
});

test('a kernel that lacks a limit: it is left out with a warning, and not told by inspect', () => {
  const warnings: string[] = [];
  const host: HostConfig = {
    Memory: 64 * MB,
    MemoryReservation: 32 * MB,
    MemorySwappiness: 10,
    OomKillDisable: true,
    BlkioWeight: 300,
    CpusetCpus: '0',
    BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 10 }],
    BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1 }],
    BlkioDeviceWriteIOps: [{ Path: '/dev/sda', Rate: 1 }],
  };
  const limits = limitsOf(host, { abilities: NONE, warnings });
  assert.deepEqual([limits, deviceLimitsOf(host, { abilities: NONE, warnings })], [{ memoryBytes: 64 * MB }, []]);
  for (const what of [
    'swap limit',
    'memory soft limit',
    'memory swappiness',
    'OomKillDisable',
    'Block I/O weight or',
    'cpuset',
    'Block I/O weight_device',
    'BPS Block I/O read',
    'IOPS Block write',
  ]) {
    assert.ok(
      warnings.some((warning) => warning.includes(`does not support ${what}`)),
      what,
    );
  }
  const kept = keptLimits(host, limits, []);
  assert.deepEqual(
    [kept.MemorySwappiness, kept.OomKillDisable, kept.BlkioWeightDevice, kept.BlkioDeviceReadBps, kept.BlkioDeviceReadIOps],
    [null, null, [], [], null],
  );
});

test('an OOM killer that is kept away without a limit is warned of', () => {
  const warnings: string[] = [];
  assert.deepEqual(limitsOf({ OomKillDisable: true, MemorySwappiness: -1 }, { abilities: ALL, warnings }), { oomKillDisable: true });
  assert.match(warnings.join('\n'), /^OOM killer is disabled for the container, but no memory limit is set/);
});

test('options of tmpfs: later words win, and strange ones are refused', () => {
  assert.deepEqual(parseTmpfs('size=2m,mode=1770,uid=5,noexec,exec,ro'), {
    type: 'tmpfs',
    sizeBytes: 2 * MB,
    mode: 0o1770,
    readOnly: true,
    options: ['uid=5', 'exec'],
  });
  assert.deepEqual(parseTmpfs('size=50%,rprivate,defaults'), { type: 'tmpfs', readOnly: false, options: ['size=50%'] });
  for (const wrong of ['nonsense=1', 'size=x', 'mode=9', 'uid=root', 'remount', 'bind']) {
    assert.throws(() => parseTmpfs(wrong), new RegExp(`Invalid tmpfs option "${wrong}"`));
  }
  assert.deepEqual(tmpfsOptions([['exec']]), ['exec']);
  assert.throws(() => tmpfsOptions([['uid', '5']]), /invalid option: uid/);
});

test('security options and options of logs', () => {
  const of = (...SecurityOpt: string[]): object => securityOf({ SecurityOpt }, []);
  const plain = { privileged: false, readOnlyRoot: false, capAdd: [], capDrop: [], noNewPrivileges: false, seccomp: 'default' };
  assert.deepEqual(of('no-new-privileges:false', 'label=disable', 'apparmor=unconfined', 'writable-cgroups'), { ...plain, writableCgroups: true });
  assert.deepEqual(of('no-new-privileges', 'seccomp:unconfined'), { ...plain, noNewPrivileges: true, seccomp: 'unconfined' });
  for (const wrong of ['nonsense', 'nonsense=1', 'no-new-privileges=maybe', 'apparmor=mine']) {
    assert.throws(() => of(wrong), /security-opt/);
  }
  const rotation = (Type: string, Config: Record<string, string>): object => logRotation({ LogConfig: { Type, Config } });
  assert.deepEqual(rotation('local', { 'max-size': '2k', 'max-file': '3' }), { logRotation: { maxBytes: 2048, files: 3 } });
  assert.throws(() => rotation('json-file', { nonsense: '1' }), /unknown log opt 'nonsense' for json-file log driver/);
  assert.throws(() => rotation('local', { nonsense: '1' }), /unknown log opt 'nonsense' for log driver local/);
});
