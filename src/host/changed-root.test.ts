import { execFile } from 'node:child_process';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const look = `import { isRootChanged } from ${JSON.stringify(join(import.meta.dirname, 'changed-root.ts'))}; import { LinuxSpawner } from ${JSON.stringify(join(import.meta.dirname, 'spawn.ts'))}; console.log(await isRootChanged(new LinuxSpawner()));`;
const node = [process.execPath, '--input-type=module-typescript', '-e', look];

test('a chroot is told from a root of its own', async () => {
  assert.equal((await run(node[0]!, node.slice(1))).stdout, 'false\n');
  const inNamespace = async (how: string): Promise<string> =>
    (await run('unshare', ['--mount', 'sh', '-c', `mount --rbind / /mnt && cd /mnt && ${how} "$@"`, 'sh', ...node])).stdout;
  assert.equal(await inNamespace('exec chroot .'), 'true\n');
  assert.equal(await inNamespace('pivot_root . mnt && exec'), 'false\n');
});
