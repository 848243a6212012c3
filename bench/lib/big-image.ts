import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';

const LAYERS = 3;
const FILES = 10;
const FILE_BYTES = 8_000_000;

/**
 * Writes an image of 241 MB as `docker save` would: three layers of ten files
 * of 8 MB, half of them random and half compressible.
 * @returns the archive's path
 */
export async function writeBigImage(folder: string): Promise<string> {
  const text = Buffer.from('the quick brown fox jumps over the lazy dog; '.repeat(Math.ceil(FILE_BYTES / 45))).subarray(0, FILE_BYTES / 2);
  const layers: { readonly name: string; readonly diff: string }[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const root = join(folder, `root${layer}`);
    await mkdir(join(root, `data${layer}`), { recursive: true });
    for (let file = 0; file < FILES; file++) {
      await writeFile(join(root, `data${layer}`, `file${file}`), Buffer.concat([randomBytes(FILE_BYTES / 2), text]));
    }
    await command('tar', ['-C', root, '-cf', join(folder, `layer${layer}.tar`), '.']);
    layers.push({ name: `layer${layer}.tar`, diff: `sha256:${createHash('sha256').update(await readFile(join(folder, `layer${layer}.tar`))).digest('hex')}` });
  }
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/data0/file0'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diff }) => diff) },
    history: layers.map(() => ({ created_by: 'bench' })),
  });
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  await writeFile(join(folder, configName), config);
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: configName, RepoTags: ['bench-big:latest'], Layers: layers.map(({ name }) => name) }]),
  );
  await command('tar', ['-C', folder, '-cf', join(folder, 'image.tar'), 'manifest.json', configName, ...layers.map(({ name }) => name)]);
  return join(folder, 'image.tar');
}
