import { LongshoreError } from '../../lib/errors.ts';
import { shortId } from './digest.ts';
import type { Change } from './journal.ts';
import type { Parts } from './parts.ts';
import { familiar, fullName, parseReference, parseTagged, repositoryOf } from './reference.ts';

export interface RemoveOptions {
  readonly force?: boolean;
  readonly prune?: boolean;
  readonly inUse: (id: string) => readonly string[];
  readonly running?: (id: string) => readonly string[];
}

export type Removed = { readonly untagged: string } | { readonly deleted: string };

/**
 * `docker rmi`: by name, that name, and the image with its last one; by id, all its names. The
 * rules on conflicts, and their words, are Docker's. @throws `not-found`, `conflict`
 */
export async function removeImage(parts: Parts, nameOrId: string, options: RemoveOptions, collect: () => Promise<readonly string[]>): Promise<Removed[]> {
  const { catalog } = parts;
  const id = catalog.resolve(nameOrId);
  const names = [...catalog.references].filter(([, record]) => record.id === id).map(([name]) => name);
  const digests = [...catalog.digests].filter(([, record]) => record.id === id).map(([name]) => name);
  const out: Removed[] = [];
  const untag = async (keys: readonly string[]): Promise<void> => {
    const changes = keys.map((key): Change => ({ table: key.includes('@') ? 'digests' : 'references', key }));
    await catalog.journal.commit(changes);
    for (const key of keys) {
      out.push({ untagged: familiar(key) });
      parts.emit({ action: 'untag', id, name: familiar(key) });
    }
  };
  if (catalog.isId(nameOrId, id)) {
    const repositories = new Set([...names, ...digests].map((name) => repositoryOf(parseReference(name))));
    if (!options.force && repositories.size > 1) {
      throw conflict(`unable to delete ${shortId(id)} (must be forced) - image is referenced in multiple repositories`);
    }
    checkContainers(id, options);
    await untag([...names, ...digests]);
  } else {
    const reference = parseTagged(nameOrId);
    const key = fullName(reference);
    const known = catalog.references.has(key) || catalog.digests.has(key);
    const single =
      names.length + digests.length === 1 ||
      (names.length === 1 && digests.every((name) => repositoryOf(parseReference(name)) === repositoryOf(reference)));
    const [container] = options.inUse(id);
    if (single && !options.force && container !== undefined) {
      throw conflict(`unable to delete ${familiar(key)} (must be forced) - container ${shortId(container)} is using its referenced image ${shortId(id)}`);
    }
    const gone = known ? [key] : [];
    const left = names.filter((name) => name !== key && repositoryOf(parseReference(name)) === repositoryOf(reference));
    // With a repository's last tag, its digests go too.
    if (left.length === 0) {
      gone.push(...digests.filter((name) => name !== key && repositoryOf(parseReference(name)) === repositoryOf(reference)));
    }
    await untag(gone);
    if ([...catalog.references.values(), ...catalog.digests.values()].some((record) => record.id === id)) return out;
    // Forced, while a container runs: the name is gone, the image stays.
    if ((options.running?.(id) ?? []).length > 0) return out;
  }
  await catalog.journal.commit([{ table: 'images', key: id }]);
  parts.emit({ action: 'delete', id, name: id });
  out.push({ deleted: id });
  for (const deleted of await collect()) if (parts.layers.get(deleted) === undefined && deleted !== id) out.push({ deleted });
  return out;
}

function checkContainers(id: string, options: RemoveOptions): void {
  const [running] = options.running?.(id) ?? [];
  if (running !== undefined) {
    throw conflict(`unable to delete ${shortId(id)} (cannot be forced) - image is being used by running container ${shortId(running)}`);
  }
  const [stopped] = options.inUse(id);
  if (stopped !== undefined && !options.force) {
    throw conflict(`unable to delete ${shortId(id)} (must be forced) - image is being used by stopped container ${shortId(stopped)}`);
  }
}

function conflict(message: string): LongshoreError {
  return new LongshoreError('conflict', `conflict: ${message}`);
}
