import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LongshoreError } from '../lib/errors.ts';

/** Folder beneath which a home's volumes of the class `standard` are made. */
export function localPathRoot(home: { readonly root: string }): string {
  return join(home.root, 'volumes');
}

/**
 * What deletes folders of volumes on the node of this process. Only a folder right beneath `root` is deleted: anything deeper would be reached through
 * what a pod wrote, which may be a symlink.
 */
export function createVolumeRemover(root: string, localNode: string): (node: string, path: string) => Promise<void> {
  return async (node, path) => {
    const object = `folder ${path} of node ${node}`;
    if (node !== localNode) {
      throw new LongshoreError('not-implemented', `folders of the node ${node} can't be deleted from ${localNode}`, {
        object,
        remedy: `Delete ${path} on ${node}, then the volume.`,
      });
    }
    if (join(path) !== path || dirname(path) !== root) {
      throw new LongshoreError('forbidden', `${path} is not right beneath ${root}`, {
        object,
        remedy: 'Delete the data and the volume yourself.',
      });
    }
    await rm(path, { recursive: true, force: true });
  };
}
