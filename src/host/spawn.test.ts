import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LinuxSpawner } from './spawn.ts';

const spawner = new LinuxSpawner();

test('run gives output, exit code and signal', async () => {
  const result = await spawner.run('sh', ['-c', 'cat; echo oops >&2; exit 3'], { input: 'hello' });
  assert.deepEqual([result.code, result.signal, result.stdout.toString(), result.stderr], [3, null, 'hello', 'oops\n']);
  assert.equal((await spawner.run('sh', ['-c', 'kill -9 $$'])).signal, 'SIGKILL');
});

test('a program that does not read its input is no failure', async () => {
  assert.equal((await spawner.run('true', [], { input: Buffer.alloc(1 << 20) })).code, 0);
});

test('a missing program names its package', async () => {
  await assert.rejects(spawner.run('/nowhere/runc', []), { code: 'not-found', remedy: 'Install it: apt-get install runc' });
  await assert.rejects(spawner.run('no-such-program', []), { code: 'not-found' });
});

test('the whole process group dies at the deadline, also when a grandchild holds the pipe', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'longshore-spawn-'));
  try {
    await assert.rejects(spawner.run('sh', ['-c', `sleep 1000 & echo $! > ${dir}/pid; wait`], { timeoutMs: 300 }), { code: 'timeout' });
    const pid = (await readFile(join(dir, 'pid'), 'utf8')).trim();
    // Killed; it may take the kernel a moment, and somebody may not have reaped it yet.
    let state = '';
    for (let tries = 0; tries < 100 && !['gone', 'Z', 'X'].includes(state); tries++) {
      if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      state = await readFile(`/proc/${pid}/stat`, 'utf8').then((stat) => stat.split(') ')[1]!.charAt(0), () => 'gone');
    }
    assert.ok(['gone', 'Z', 'X'].includes(state), `state ${state}`);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('abort and too much output stop it', async () => {
  const controller = new AbortController();
  const running = spawner.run('sleep', ['1000'], { signal: controller.signal });
  setImmediate(() => controller.abort());
  await assert.rejects(running, { code: 'canceled' });
  await assert.rejects(spawner.run('sh', ['-c', 'while :; do echo xxxxxxxxxxxxxxxx; done'], { maxOutputBytes: 1000 }), { code: 'too-large' });
});

test('a daemon has a session of its own and the given descriptors only', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'longshore-daemon-'));
  try {
    const out = openSync(join(dir, 'out'), 'w');
    const pid = await spawner.spawnDaemon('sh', ['-c', 'echo begun >&3; exec sleep 1000'], { stdio: ['ignore', 'ignore', 'ignore', out] });
    try {
      const stat = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
      assert.equal(Number(stat[3]), pid, 'session');
      for (let n = 0; n < 200 && (await readFile(`/proc/${pid}/comm`, 'utf8')) !== 'sleep\n'; n++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assert.equal(await readFile(join(dir, 'out'), 'utf8'), 'begun\n');
      assert.deepEqual(await readdir(`/proc/${pid}/fd`), ['0', '1', '2', '3']);
    } finally {
      process.kill(pid, 'SIGKILL');
      closeSync(out);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
