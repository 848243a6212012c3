import assert from 'node:assert/strict';
import { readFile, glob } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOMS, roomOf, violations } from './rooms.ts';

const src = join(import.meta.dirname, '../../src');

test('every import keeps to the table of rooms', async () => {
  const found: string[] = [];
  let files = 0;
  for await (const path of glob('**/*.ts', { cwd: src })) {
    // A test puts together what it needs; what ships keeps to the table.
    if (/\.test(-helper)?\.ts$/.test(path)) continue;
    files++;
    found.push(...violations(path, await readFile(join(src, path), 'utf8')));
  }
  assert.deepEqual(found, []);
  assert.ok(files > 20, `only ${files} files were looked at`);
});

test('the check catches what it is there for', () => {
  assert.deepEqual(violations('node/agent/pod.ts', "import { x } from '../../engine/containers/containers.ts';"), [
    'src/node/agent/pod.ts imports ../../engine/containers/containers.ts: node/agent may not import engine/containers',
  ]);
  assert.equal(violations('lib/clock.ts', "import type { Host } from '../host/host.ts';").length, 1);
  assert.equal(violations('control-plane/scheduler/a.ts', "const api = await import('../api/contract.ts');").length, 1);
  assert.equal(violations('control-plane/scheduler/a.ts', "export { b } from '../store/store.ts';").length, 1);
  assert.equal(violations('unknown/a.ts', '').length, 1);
  assert.deepEqual(violations('node/agent/pod.ts', "import type { Cri } from '../cri/cri.ts';\nimport { a } from './a.ts';"), []);
});

test('every room of the table is named as the folders are', () => {
  for (const room of Object.keys(ROOMS)) assert.equal(roomOf(`${room}/file.ts`), room);
});
