import assert from 'node:assert/strict';
import { closeSync, fstatSync } from 'node:fs';
import { test } from 'node:test';
import { Gate } from './gate.ts';
import { machineCode } from './machine-code.ts';
import { AT_FDCWD, O_CLOEXEC, SYSCALL_NUMBERS } from './numbers.ts';
import { Program, SyscallError } from './program.ts';

const EBADF = 9;
const ECANCELED = 125;
const ENOENT = 2;

test('results of earlier steps are arguments of later ones', async () => {
  for (const run of ['run', 'runSync'] as const) {
    const program = new Program();
    const fd = program.call('openat', AT_FDCWD, '/proc/self/cmdline', O_CLOEXEC, 0);
    const room = program.allocate(4096);
    const got = program.call('read', fd, room, room.length);
    program.call('close', fd);
    await program[run]();
    assert.ok(fd.result > 2 && got.result > 0);
    assert.ok(program.read(room).toString('utf8', 0, got.result).includes('node'));
    assert.throws(() => fstatSync(fd.result), { code: 'EBADF' });
  }
});

test('after a failure only what must be done is done', async () => {
  const program = new Program();
  const first = program.call('openat', AT_FDCWD, '/', O_CLOEXEC, 0);
  const tried = program.attempt('close', 1_000_000);
  const failing = program.call('openat', AT_FDCWD, '/no/such/file', O_CLOEXEC, 0);
  const skipped = program.call('openat', AT_FDCWD, '/', O_CLOEXEC, 0);
  const always = program.always('close', first);
  await assert.rejects(program.run(), (error) => {
    assert.ok(error instanceof SyscallError);
    assert.deepEqual([error.code, error.errno, error.syscall, error.path], ['ENOENT', -ENOENT, 'openat', '/no/such/file']);
    return true;
  });
  assert.deepEqual([tried.result, failing.result, skipped.result, always.result], [-EBADF, -ENOENT, -ECANCELED, 0]);
  assert.throws(() => closeSync(first.result), { code: 'EBADF' });
});

test('a length can come from an earlier step, too', () => {
  const program = new Program();
  const fd = program.call('openat', AT_FDCWD, '/proc/self/stat', O_CLOEXEC, 0);
  const room = program.allocate(16);
  const length = program.call('read', fd, room, 7);
  const more = program.call('read', fd, room, length);
  program.always('close', fd);
  program.runSync();
  assert.deepEqual([length.result, more.result], [7, 7], 'the length of the second read was the result of the first');
});

test('a program runs once, and a string holds no zero byte', async () => {
  const program = new Program();
  program.attempt('close', -1);
  program.runSync();
  await assert.rejects(program.run(), /runs once/);
  assert.throws(() => new Program().string('a\0b'), { code: 'EINVAL' });
});

test('code is there for both architectures, with numbers for every call', () => {
  assert.equal(machineCode('x64')?.length, 178);
  assert.equal(machineCode('arm64')?.length, 41 * 4);
  assert.equal(machineCode('arm64')?.readUInt32LE(160), 0xd65f03c0, 'ret is last');
  assert.equal(machineCode('s390x'), undefined);
  assert.equal(new Set(Object.values(SYSCALL_NUMBERS)).size, Object.keys(SYSCALL_NUMBERS).length);
});

test('the gate keeps its width, its order and its bound', async () => {
  const gate = new Gate(2, 3);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const releases: (() => void)[] = [];
  const enter = (n: number) =>
    gate.enter(async () => {
      order.push(n);
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => releases.push(resolve));
      running--;
    });
  const tasks = [0, 1, 2, 3, 4].map(enter);
  await assert.rejects(enter(5), { code: 'exhausted' });
  while (order.length < 5 || running > 0) {
    releases.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(tasks);
  assert.deepEqual([order, most], [[0, 1, 2, 3, 4], 2]);
  await assert.rejects(gate.enter(() => Promise.reject(new Error('own'))), { message: 'own' });
  assert.equal(await gate.enter(async () => 7), 7);
});
