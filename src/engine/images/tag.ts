import { LongshoreError } from '../../lib/errors.ts';
import type { Parts } from './parts.ts';
import { familiar, fullName, parseTagged } from './reference.ts';

const DIGEST_ALGORITHMS = new Set(['sha256', 'sha384', 'sha512']);

/** @throws `not-found`, `invalid` */
export async function tagImage(parts: Parts, nameOrId: string, target: string): Promise<void> {
  const { catalog, clock } = parts;
  const reference = parseTagged(target);
  if (reference.digest !== undefined) throw new LongshoreError('invalid', 'refusing to create a tag with a digest reference');
  // `sha256:abc` would be taken for an id ever after.
  if (DIGEST_ALGORITHMS.has(familiar(fullName(reference)).replace(/:[^:/]+$/, ''))) {
    throw new LongshoreError('invalid', 'refusing to create an ambiguous tag using digest algorithm as name', { object: target });
  }
  const id = catalog.resolve(nameOrId);
  const record = catalog.images.get(id)!;
  const name = fullName(reference);
  // A name keeps the index that it was pulled by.
  let source;
  try {
    source = catalog.references.get(fullName(parseTagged(nameOrId)));
  } catch {
    // It was given by its id.
    source = undefined;
  }
  await catalog.journal.commit(catalog.changesFor(id, record.manifest, source?.id === id ? source.target : record.manifest, [name], [], clock.now()));
  parts.emit({ action: 'tag', id, name: familiar(name) });
}
