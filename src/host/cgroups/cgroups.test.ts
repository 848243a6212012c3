import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import type { Cgroups } from '../host.ts';
import { cgroupMounts, openCgroups } from './detect.ts';
import { tree } from './files.ts';
import { cpuQuota, ioWeight, memoryAndSwap, weightOfShares } from './limits.ts';
import { CgroupsV2 } from './v2.ts';

const mounts = cgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'));
const name = `longshore-test-${process.pid}`;

async function sleeper(joins: string): Promise<{ pid: number; ended: Promise<unknown> }> {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  await writeFile(joins, String(child.pid));
  return { pid: child.pid!, ended };
}

const roots: [string, Cgroups, string][] = [['the machine’s', await openCgroups(systemClock), mounts.controllers.get('pids') ?? mounts.unified!]];
if (mounts.unified !== undefined) roots.push(['the version 2', new CgroupsV2(mounts.unified, systemClock, false), mounts.unified]);

for (const [which, cgroups, joinRoot] of roots) {
  const path = `${name}/${which.replaceAll(/\W/g, '')}`;
  test(`${which} tree: processes are listed, frozen and killed`, async () => {
    after(() => cgroups.remove(path));
    await cgroups.create(`${path}/inner`);
    const { pid, ended } = await sleeper(`${joinRoot}/${path}/inner/cgroup.procs`);
    assert.deepEqual(await cgroups.processes(path), [pid]);
    if (cgroups.version === 2) {
      await cgroups.freeze(`${path}/inner`, true);
      await cgroups.freeze(`${path}/inner`, false);
      await cgroups.freeze(`${path}/inner`, true);
    }
    await cgroups.remove(path);
    await ended;
    assert.deepEqual(await tree(`${joinRoot}/${path}`), []);
    assert.equal(await cgroups.usage(path), undefined);
    await cgroups.remove(path);
  });
}

test('limits are what usage reports, and can change', async () => {
  const [, cgroups, joinRoot] = roots[0]!;
  const path = `${name}/limited`;
  after(() => cgroups.remove(path));
  await cgroups.create(path, { memoryBytes: 64 << 20, pids: 20, nanoCpus: 5e8, cpuShares: 512 });
  let usage = await cgroups.usage(path);
  assert.equal(usage?.memoryLimitBytes, 64 << 20);
  assert.equal(usage?.pidsLimit, 20);
  await cgroups.update(path, { memoryBytes: 128 << 20 });
  await cgroups.update(path, { memoryBytes: 32 << 20, pids: -1 });
  const { ended } = await sleeper(`${joinRoot}/${path}/cgroup.procs`);
  usage = await cgroups.usage(path);
  assert.equal(usage?.memoryLimitBytes, 32 << 20);
  assert.equal(usage?.pidsLimit, undefined);
  assert.equal(usage?.pids, 1);
  await cgroups.remove(path);
  await ended;
});

test('a frozen process of version 1 is killed as well', { skip: roots[0]![1].version === 2 }, async () => {
  const [, cgroups] = roots[0]!;
  const path = `${name}/frozen`;
  after(() => cgroups.remove(path));
  await cgroups.create(path);
  const { pid, ended } = await sleeper(`${mounts.controllers.get('freezer')}/${path}/cgroup.procs`);
  await cgroups.freeze(path, true);
  const state = (await readFile(`/proc/${pid}/status`, 'utf8')).match(/^State:\s+(\S)/m)?.[1];
  assert.equal(state, 'D');
  await cgroups.remove(path);
  await ended;
});

test('a path that would leave the tree is refused', async () => {
  const [, cgroups] = roots[0]!;
  for (const path of ['', '/', '../x', 'a/../../b']) await assert.rejects(cgroups.create(path), { code: 'invalid' });
});

test('limits translate as Docker has them', () => {
  const cgroups = roots[0]![1];
  assert.deepEqual(cpuQuota({ nanoCpus: 1.5e9 }), { quota: 150_000, period: 100_000 });
  assert.deepEqual(cpuQuota({ cpuQuota: -1, cpuPeriod: 50_000 }), { quota: undefined, period: 50_000 });
  assert.equal(cpuQuota({}), undefined);
  assert.equal(memoryAndSwap({ memoryBytes: 100 }), 200);
  assert.equal(memoryAndSwap({ memoryBytes: 100, memorySwapBytes: -1 }), -1);
  assert.equal(weightOfShares(1024), 39);
  assert.equal(weightOfShares(2), 1);
  assert.equal(weightOfShares(1e9), 10_000);
  assert.deepEqual(cgroups.ociResources({ cpuShares: 2, pids: 7, cpusetCpus: '0' }), { cpu: { shares: 2, cpus: '0' }, pids: { limit: 7 } });
});

after(async () => {
  for (const [, cgroups] of roots) await cgroups.remove(name);
});

test('the rarer limits: what each version has of them', async () => {
  const [, cgroups, joinRoot] = roots[0]!;
  const rates = [{ major: 8, minor: 0, rate: 1000 }];
  const limits = {
    memoryReservationBytes: 1 << 20,
    memorySwappiness: 10,
    oomKillDisable: true,
    cpusetMems: '0',
    blockIo: { weight: 500, readBps: rates, weightDevices: rates },
  };
  const own = cgroups.version === 1 ? { swappiness: 10, disableOOMKiller: true } : {};
  assert.deepEqual(cgroups.ociResources(limits), {
    memory: { reservation: 1 << 20, ...own }, cpu: { mems: '0' },
    blockIO: { weight: 500, weightDevice: [{ major: 8, minor: 0, weight: 1000 }], throttleReadBpsDevice: rates },
  });
  const abilities = await cgroups.abilities();
  assert.equal(abilities.memorySwappiness, cgroups.version === 1);
  assert.match(abilities.cpus ?? '', /^[\d,-]+$/);
  assert.match(abilities.memoryNodes ?? '', /^[\d,-]+$/);
  assert.equal(ioWeight(10), 1);
  assert.equal(ioWeight(1000), 10_000);
  const path = `${name}/rare`;
  after(() => cgroups.remove(path));
  await cgroups.create(path);
  await cgroups.update(path, { memoryReservationBytes: 32 << 20, cpusetMems: '0' });
  if (cgroups.version === 1) {
    assert.equal(
      (await readFile(`${mounts.controllers.get('memory')}/${path}/memory.soft_limit_in_bytes`, 'utf8')).trim(),
      String(32 << 20),
    );
  } else {
    assert.equal((await readFile(`${joinRoot}/${path}/memory.low`, 'utf8')).trim(), String(32 << 20));
  }
  await cgroups.remove(path);
});
