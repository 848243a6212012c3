import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskUsage } from './usage.ts';

test('a tree is counted once, without what its links lead to, and no further than is asked', async () => {
  const folder = await mkdtemp('/tmp/usage-');
  try {
    await mkdir(join(folder, 'deep/er'), { recursive: true });
    await writeFile(join(folder, 'deep/er/file'), Buffer.alloc(1_000_000, 1));
    const once = await diskUsage(folder, 1e9);
    assert.ok(once >= 1_000_000 && once < 1_100_000, String(once));
    await link(join(folder, 'deep/er/file'), join(folder, 'again'));
    await symlink('/', join(folder, 'root'));
    assert.ok((await diskUsage(folder, 1e9)) < 1_100_000);
    for (let n = 0; n < 50; n++) await writeFile(join(folder, `f${n}`), Buffer.alloc(10_000, 1));
    assert.ok((await diskUsage(folder, 100_000)) < 1_200_000);
    assert.equal(await diskUsage(join(folder, 'none'), 1), 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
