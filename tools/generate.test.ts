import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { generate } from './generate.ts';

const target = join(import.meta.dirname, '../src/types/kubernetes/generated');
/** Offline, so that a machine with Go but without the modules skips at once. */
const missing = await promisify(execFile)('go', ['list', '-deps', '.'], {
  cwd: join(import.meta.dirname, 'kube-facts'),
  env: { ...process.env, GOFLAGS: '-mod=readonly', GOPROXY: 'off' },
  maxBuffer: 1 << 24,
}).then(
  () => undefined,
  (error: Error) => `Go or its modules are not on this machine: ${error.message.split('\n')[0]}`,
);

test('what is generated is what is committed', async (t) => {
  if (missing !== undefined) return t.skip(missing);
  const files = await generate();
  assert.deepEqual((await readdir(target)).sort(), [...files.keys()].sort());
  for (const [name, text] of files) assert.equal(await readFile(join(target, name), 'utf8'), text, `${name} differs: run npm run generate`);
});
