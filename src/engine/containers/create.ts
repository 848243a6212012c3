import { rm } from 'node:fs/promises';
import { LongshoreError } from '../../lib/errors.ts';
import { hexId } from '../../lib/random.ts';
import type { Context } from './context.ts';
import type { ContainerSpec } from './containers.ts';
import { Entry } from './entry.ts';
import { NAME, randomName } from './names.ts';

/** Makes a container: its name, its writable layer over the image, and its description on disk. @throws `conflict` (name), `invalid`, `not-found` (image) */
export async function createEntry(context: Context, spec: ContainerSpec): Promise<Entry> {
  if (spec.process.args.length === 0) {
    throw new LongshoreError('invalid', 'no command specified', {
      object: `image ${spec.image.name}`,
      remedy: 'Give a command, or use an image with an entry point.',
    });
  }
  const id = hexId(context.random);
  const name = takeName(context, spec.name, id);
  const entry = new Entry(`${context.folder}/${id}`, { version: 1, id, name, spec, createdMs: context.clock.now() });
  try {
    if (spec.rootfs === undefined) {
      const image = await context.images.get(spec.image.id);
      entry.releaseImage = context.images.lease(image.id);
      const [chainId] = await Promise.all([context.images.snapshots.unpack(image), entry.makeFolders()]);
      await context.images.snapshots.prepare(id, chainId);
    } else await entry.makeFolders();
    await entry.saveDescription();
  } catch (error) {
    context.names.delete(name);
    await entry.releaseImage?.();
    await context.images.snapshots.remove(id);
    await rm(entry.folder, { recursive: true, force: true });
    throw error;
  }
  context.entries.set(id, entry);
  context.emit(entry, 'create');
  return entry;
}

/** Reserves the name at once, so that of two who ask at the same time one gets it. */
function takeName(context: Context, wanted: string | undefined, id: string): string {
  const name = wanted?.replace(/^\//, '');
  if (name !== undefined && name !== '') {
    if (!NAME.test(name)) {
      throw new LongshoreError('invalid', `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
        object: `container ${name}`,
      });
    }
    const owner = context.names.get(name);
    if (owner !== undefined) throw nameTaken(name, owner);
    context.names.set(name, id);
    return name;
  }
  for (let retry = 0; ; retry++) {
    const random = randomName(context.random, retry);
    if (context.names.has(random)) continue;
    context.names.set(random, id);
    return random;
  }
}

export function nameTaken(name: string, owner: string): LongshoreError {
  return new LongshoreError(
    'conflict',
    `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
    { object: `container ${name}` },
  );
}
