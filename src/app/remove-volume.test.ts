import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createVolumeRemover } from './remove-volume.ts';

test('deletes folders right beneath its root, and nothing that is reached through them', async () => {
  const folder = await mkdtemp('/tmp/lsv-');
  try {
    const root = join(folder, 'volumes');
    await mkdir(join(root, 'pvc-1'), { recursive: true });
    await mkdir(join(folder, 'precious/inner'), { recursive: true });
    await writeFile(join(folder, 'precious/inner/file'), 'x');
    await symlink(join(folder, 'precious'), join(root, 'pvc-1/link'));
    const remove = createVolumeRemover(root, 'here');
    for (const path of [root, folder, join(root, 'pvc-1/link/inner'), `${root}/pvc-1/../../precious`, `${root}/..`, '/etc']) {
      await assert.rejects(remove('here', path), { code: 'forbidden' }, path);
    }
    await assert.rejects(remove('there', join(root, 'pvc-1')), { code: 'not-implemented' });
    await remove('here', join(root, 'pvc-1'));
    await assert.rejects(access(join(root, 'pvc-1')), { code: 'ENOENT' });
    await access(join(folder, 'precious/inner/file'));
    await remove('here', join(root, 'pvc-1')); // gone already
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
