import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { MovesAhead, ownGroup } from './ahead.ts';
import { openCgroups } from './detect.ts';

/** Sleeps end at once, and take their time off the clock. */
function quickClock(): Clock {
  let now = 0;
  return {
    ...systemClock,
    monotonic: () => now,
    async sleep(ms) {
      await new Promise((resolve) => setImmediate(resolve));
      now += ms;
    },
  };
}

/** Waits until what runs on a quick clock has come to its end. */
async function settle(look: () => unknown): Promise<void> {
  for (let before: unknown; before !== look(); ) {
    before = look();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('we are moved to where we are, until the other was moved', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ahead-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'cgroup.procs');
  writeFileSync(file, '');
  const clock = quickClock();
  let looks = 0;
  const ahead = new MovesAhead(clock, () => {
    looks++;
    return Promise.resolve(file);
  });
  const [first, second] = [ahead.expect(), ahead.expect()];
  await settle(() => readFileSync(file, 'utf8'));
  assert.equal(readFileSync(file, 'utf8'), String(process.pid));
  first();
  second();
  await settle(() => clock.monotonic());
  const [before, beforeMs] = [looks, clock.monotonic()];
  // Nobody says that it is over: it ends all the same, and soon.
  ahead.expect();
  await settle(() => clock.monotonic());
  assert.equal(looks, before + 1);
  assert.ok(clock.monotonic() - beforeMs < 300, `${clock.monotonic() - beforeMs} ms`);
});

test('where it cannot be done it is tried once', async () => {
  let looks = 0;
  const ahead = new MovesAhead(quickClock(), () => {
    looks++;
    return Promise.resolve('/does/not/exist/cgroup.procs');
  });
  ahead.expect();
  await settle(() => looks);
  ahead.expect()();
  await settle(() => looks);
  assert.equal(looks, 1);
});

test('the file of our group, of either version', () => {
  const membership = '6:freezer:/a:b\n4:memory,cpu:/\n1:name=systemd:/x\n0::/user.slice/one\n';
  assert.equal(ownGroup(membership, 'freezer', '/f'), '/f/a:b/cgroup.procs');
  assert.equal(ownGroup(membership, 'memory', '/m'), '/m/cgroup.procs');
  assert.equal(ownGroup(membership, '', '/u'), '/u/user.slice/one/cgroup.procs');
  assert.equal(ownGroup(membership, 'pids', '/p'), undefined);
});

test('on this machine it leaves us where we are', async () => {
  const membership = (): string => readFileSync('/proc/self/cgroup', 'utf8');
  const before = membership();
  const cgroups = await openCgroups(systemClock);
  const done = cgroups.expectMove?.();
  await new Promise((resolve) => setTimeout(resolve, 30));
  done?.();
  assert.equal(membership(), before);
});
