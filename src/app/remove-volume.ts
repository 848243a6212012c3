import { rm } from 'node:fs/promises';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import type { ApiServer } from '../control-plane/api/server.ts';
import { LongshoreError } from '../lib/errors.ts';

/** How long a node may take to delete a folder, in milliseconds, and how much of its answer is read. */
const ANSWER_MS = 60_000;
const LONGEST_ANSWER = 2000;

/** Folder beneath which a home's volumes of the class `standard` are made. */
export function localPathRoot(home: { readonly root: string }): string {
  return join(home.root, 'volumes');
}

/** Path of a node's API, served to our API server alone: `DELETE /localVolumes?path=FOLDER`. */
export const LOCAL_VOLUMES = '/localVolumes';

/** Folders that the controllers have nodes make for claims, whatever the root of their instance. */
const OF_CLAIM = /\/volumes\/pvc-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_[a-z0-9-]+_[a-z0-9.-]+$/;

/**
 * Deletes the folder of a claim on this node, as the API server of its cluster asks for it.
 * @throws LongshoreError `forbidden` when the path is none that a claim gets
 */
export async function removeClaimFolder(path: string): Promise<void> {
  if (!path.startsWith('/') || join(path) !== path || !OF_CLAIM.test(path)) {
    throw new LongshoreError('forbidden', `${path} is not the folder of a claim`, {
      object: `folder ${path}`,
      remedy: 'Delete the data and the volume yourself.',
    });
  }
  await rm(path, { recursive: true, force: true });
}

/** Has another node delete the folder of a claim, by way of our API server's proxy to nodes. @throws LongshoreError `unavailable`, with what the node said */
export function askNode(api: Pick<ApiServer, 'admin' | 'authority' | 'url'>): (node: string, path: string) => Promise<void> {
  return async (node, path) => {
    const object = `folder ${path} of node ${node}`;
    const remedy = `Delete ${path} on ${node}, then the volume.`;
    const url = `${api.url}/api/v1/nodes/${encodeURIComponent(node)}/proxy${LOCAL_VOLUMES}?path=${encodeURIComponent(path)}`;
    const [status, text] = await new Promise<[number, string]>((resolve, reject) => {
      const failed = (error: Error): void =>
        reject(
          new LongshoreError('unavailable', `the node ${node} could not be asked to delete ${path}: ${error.message}`, {
            object,
            remedy,
            cause: error,
          }),
        );
      const asked = request(
        url,
        {
          method: 'DELETE',
          agent: false,
          ca: api.authority.certificate,
          cert: api.admin.certificate,
          key: api.admin.key,
          timeout: ANSWER_MS,
        },
        (response) => {
          let said = '';
          response
            .setEncoding('utf8')
            .on('data', (piece: string) => (said = (said + piece).slice(0, LONGEST_ANSWER)))
            .on('end', () => resolve([response.statusCode ?? 0, said]))
            .on('error', failed);
        },
      );
      asked
        .on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
        .on('error', failed)
        .end();
    });
    if (status !== 200) {
      throw new LongshoreError('unavailable', `the node ${node} did not delete ${path}: ${text.trim() || status}`, { object, remedy });
    }
  };
}

/**
 * What deletes folders of volumes: itself on the node of this process, by `remote` on others. Here, only a folder right
 * beneath `root` is deleted: anything deeper would be reached through
 * what a pod wrote, which may be a symlink.
 */
export function createVolumeRemover(
  root: string,
  localNode: string,
  remote: (node: string, path: string) => Promise<void>,
): (node: string, path: string) => Promise<void> {
  return async (node, path) => {
    const object = `folder ${path} of node ${node}`;
    if (node !== localNode) return remote(node, path);
    if (join(path) !== path || dirname(path) !== root) {
      throw new LongshoreError('forbidden', `${path} is not right beneath ${root}`, {
        object,
        remedy: 'Delete the data and the volume yourself.',
      });
    }
    await rm(path, { recursive: true, force: true });
  };
}
