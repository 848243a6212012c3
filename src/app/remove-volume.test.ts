import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createVolumeRemover, removeClaimFolder } from './remove-volume.ts';

test('deletes folders right beneath its root, and nothing that is reached through them', async () => {
  const folder = await mkdtemp('/tmp/lsv-');
  try {
    const root = join(folder, 'volumes');
    await mkdir(join(root, 'pvc-1'), { recursive: true });
    await mkdir(join(folder, 'precious/inner'), { recursive: true });
    await writeFile(join(folder, 'precious/inner/file'), 'x');
    await symlink(join(folder, 'precious'), join(root, 'pvc-1/link'));
    const others: string[] = [];
    const remove = createVolumeRemover(root, 'here', (node, path) => Promise.resolve(void others.push(`${node} ${path}`)));
    for (const path of [root, folder, join(root, 'pvc-1/link/inner'), `${root}/pvc-1/../../precious`, `${root}/..`, '/etc']) {
      await assert.rejects(remove('here', path), { code: 'forbidden' }, path);
    }
    await remove('there', join(root, 'pvc-1'));
    assert.deepEqual(others, [`there ${join(root, 'pvc-1')}`]);
    await remove('here', join(root, 'pvc-1'));
    await assert.rejects(access(join(root, 'pvc-1')), { code: 'ENOENT' });
    await access(join(folder, 'precious/inner/file'));
    await remove('here', join(root, 'pvc-1')); // gone already
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('as a node, deletes folders of claims and no others', async () => {
  const folder = await mkdtemp('/tmp/lsv-');
  try {
    const name = 'pvc-0f0e0d0c-1111-4222-8333-444455556666_default_data';
    const claim = join(folder, 'volumes', name);
    await mkdir(join(claim, 'data'), { recursive: true });
    const others = [
      '',
      '/',
      `volumes/${name}`,
      folder,
      join(claim, 'data'),
      `${claim}/`,
      `${claim}/../../volumes/${name}`,
      join(folder, 'volumes/pvc-1'),
      join(folder, name),
    ];
    for (const path of others) await assert.rejects(removeClaimFolder(path), { code: 'forbidden' }, path);
    await access(claim);
    await removeClaimFolder(claim);
    await assert.rejects(access(claim), { code: 'ENOENT' });
    await removeClaimFolder(claim); // gone already
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
