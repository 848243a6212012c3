import assert from 'node:assert/strict';
import { mkdtemp, readdir, readlink, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openHost } from './open.ts';
import type { Host } from './host.ts';

let folder: string;
let host: Host;

before(async () => {
  folder = await mkdtemp('/tmp/kept-');
  host = await openHost();
});

after(() => rm(folder, { recursive: true, force: true }));

const inside = async (path: string, kind: 'ipc' | 'uts', ...command: string[]): Promise<string> => {
  const { code, stdout, stderr } = await host.spawn.run('nsenter', [`--${kind}=${path}`, ...command]);
  assert.equal(code, 0, stderr);
  return stdout.toString().trim();
};

test('IPC and UTS namespaces are kept without a process, and go without a trace', async () => {
  const [ipc, uts] = [join(folder, 'ipc'), join(folder, 'uts')];
  const before = hostname();
  const undo = await host.namespaces.create({ ipc, uts }, 'web-0');
  assert.equal(await inside(uts, 'uts', 'hostname'), 'web-0');
  assert.equal(hostname(), before);
  assert.notEqual(await inside(ipc, 'ipc', 'readlink', '/proc/self/ns/ipc'), await readlink('/proc/self/ns/ipc'));
  // What one process leaves there, the next one finds.
  await inside(ipc, 'ipc', 'ipcmk', '-Q');
  assert.match(await inside(ipc, 'ipc', 'ipcs', '-q'), /0x[0-9a-f]{8}/);
  assert.ok(await host.namespaces.isKept(ipc));
  await undo();
  await undo();
  assert.ok(!(await host.namespaces.isKept(ipc)));
  await assert.rejects(stat(uts), { code: 'ENOENT' });
  assert.deepEqual(await host.mounts.beneath(folder), []);
});

test('many at once leave all threads where they were', async () => {
  const [ipc, uts] = await Promise.all([readlink('/proc/self/ns/ipc'), readlink('/proc/self/ns/uts')]);
  const undos = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      host.namespaces.create({ ipc: join(folder, `ipc${n}`), ...(n % 2 ? { uts: join(folder, `uts${n}`) } : {}) }, `pod-${n}`),
    ),
  );
  for (const thread of await readdir('/proc/self/task')) {
    assert.deepEqual([await readlink(`/proc/self/task/${thread}/ns/ipc`), await readlink(`/proc/self/task/${thread}/ns/uts`)], [ipc, uts]);
  }
  for (const undo of undos) await undo();
});

test('what can not be made leaves nothing', async () => {
  await assert.rejects(host.namespaces.create({ ipc: join(folder, 'ipc'), uts: join(folder, 'no', 'such') }, 'x'), { code: 'ENOENT' });
  assert.deepEqual(await host.mounts.beneath(folder), []);
  await assert.rejects(stat(join(folder, 'ipc')), { code: 'ENOENT' });
  await host.namespaces.remove(join(folder, 'ipc'));
});
