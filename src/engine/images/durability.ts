import { readFile } from 'node:fs/promises';
import type { Host } from '../../host/host.ts';
import { LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Catalog } from './catalog.ts';
import type { FileContentStore } from './content.ts';
import { chainIds } from './digest.ts';
import type { LayerStore } from './layers/layer-store.ts';

/** Names this boot of the machine; the same name each time where the kernel gives none. */
export async function readBoot(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return 'unknown';
  }
}

/** syncfs(2) by coreutils' sync: Node has no call for it, and it is wanted rarely. @throws `internal` */
export async function syncFileSystem(spawn: Pick<Host['spawn'], 'run'>, folder: string): Promise<void> {
  const { code, stderr } = await spawn.run('sync', ['--file-system', folder], { timeoutMs: 600_000 });
  if (code !== 0) throw new LongshoreError('internal', `sync failed: ${stderr.trim()}`);
}

/** Unpacks what is missing of a chain, from the blobs of an image that has it. @throws `not-found` when none has */
export async function restoreChain(
  parts: { readonly catalog: Catalog; readonly content: FileContentStore; readonly layers: LayerStore },
  chainId: string,
): Promise<void> {
  const { catalog, content, layers } = parts;
  for (const { manifest } of catalog.images.values()) {
    const image = await catalog.read(manifest).catch((error: unknown) => messageOf(error));
    if (typeof image === 'string') continue;
    const diffIds = image.document.rootfs.diff_ids;
    const at = chainIds(diffIds).indexOf(chainId);
    if (at < 0) continue;
    await layers.ensure(diffIds.slice(0, at + 1).map((diffId, n) => ({ diffId, path: () => Promise.resolve(content.path(image.layers[n]!.digest)) })));
    return;
  }
  throw new LongshoreError('not-found', `the layer ${chainId} is not unpacked, and no image has it`, {
    object: chainId,
    remedy: 'Pull or load the image again.',
  });
}
