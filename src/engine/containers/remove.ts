import { LongshoreError, isCode, messageOf } from '../../lib/errors.ts';
import { removeTree } from '../runtime/remove-tree.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { hasOwnMounts, releaseOwnMounts, removeImageLayers } from './mounts.ts';

/**
 * Removes a container that doesn't run. It is gone once this resolves, with its anonymous volumes where they are to go;
 * its files, mounts and writable layer go right after.
 */
export async function removeEntry(context: Context, entry: Entry, options: { readonly volumes: boolean }): Promise<void> {
  if (entry.removed) return;
  entry.change({ status: 'removing' });
  await entry.forget();
  context.entries.delete(entry.id);
  if (context.names.get(entry.name) === entry.id) context.names.delete(entry.name);
  for (const attachment of entry.pending) attachment.abandon();
  entry.pending.clear();
  const remains = removeRemains(context, entry, options.volumes);
  context.background(`removing ${entry.short}`, remains);
  // Whoever asks for its volumes to go looks whether they did.
  if (options.volumes && entry.spec.mounts.some((mount) => mount.type === 'volume')) {
    await remains.catch(() => undefined); // logged by who has it in the background
  }
  context.emit(entry, 'destroy');
  entry.tell('removed');
}

async function removeRemains(context: Context, entry: Entry, volumes: boolean): Promise<void> {
  await entry.tidying;
  await context.images.snapshots.remove(entry.id);
  await entry.releaseImage?.();
  // Once more, and failing this time: a part of a volume that is still mounted here would be emptied.
  if (hasOwnMounts(entry.spec)) await releaseOwnMounts(context, entry.folder);
  await removeImageLayers(context, entry.id, entry.folder);
  await removeTree(entry.folder);
  if (volumes) await removeAnonymousVolumes(context, entry);
}

async function removeAnonymousVolumes(context: Context, entry: Entry): Promise<void> {
  for (const mount of entry.spec.mounts) {
    if (mount.type !== 'volume') continue;
    try {
      const volume = await context.volumes.get(mount.volume);
      if (volume.anonymous) await context.volumes.remove(volume.name, { users: volumeUsers(context, volume.name) });
    } catch (error) {
      // Somebody else uses it, or it is gone already: both leave nothing to do.
      if (!isCode(error, 'conflict') && !isCode(error, 'not-found')) {
        context.logger.warn('a volume was left behind', { volume: mount.volume, error: messageOf(error) });
      }
    }
  }
}

/** Ids of containers that mount a volume. */
export function volumeUsers(context: Pick<Context, 'entries'>, name: string): string[] {
  return [...context.entries.values()]
    .filter((entry) => entry.spec.mounts.some((mount) => mount.type === 'volume' && mount.volume === name))
    .map((entry) => entry.id);
}

/** @throws `conflict` for a container that has processes */
export function refuseRunning(entry: Entry): void {
  if (!entry.isRunning) return;
  const state = entry.state.status === 'paused' ? 'paused' : entry.state.status === 'restarting' ? 'restarting' : 'running';
  const remedy =
    state === 'paused'
      ? 'Unpause and then stop the container before attempting removal or force remove'
      : 'stop the container before removing or force remove';
  throw new LongshoreError('conflict', `cannot remove container "${entry.name}": container is ${state}: ${remedy}`, {
    object: `container ${entry.name}`,
  });
}
