import { LongshoreError } from '../../lib/errors.ts';
import type { BlobWriter } from './content.ts';
import { digestOf, isDigest } from './digest.ts';
import type { Descriptor } from './images.ts';
import type { Change } from './journal.ts';
import { parseManifest } from './manifest.ts';
import { isForeignLayer } from './media-types.ts';
import type { Parts } from './parts.ts';
import type { RegistryManifest, RegistryTag } from './registry-records.ts';
import { DEFAULT_DOMAIN, familiar, fullName, isLoopbackDomain, parseReference, repositoryOf } from './reference.ts';

export interface StoredManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
}

/**
 * What a registry needs of the image store: manifests and tags by repository,
 * over the same blobs. An image that was built, loaded or pulled here is in the registry at once, by its own
 * name and, for names of Docker Hub, without the host; what is pushed to the registry is an image here at once.
 */
export class RegistryBacking {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** By tag or digest; undefined when there is none. `host` is the name under which the registry was reached. */
  async manifest(repository: string, tagOrDigest: string, host: string): Promise<StoredManifest | undefined> {
    const { catalog } = this.#parts;
    if (isDigest(tagOrDigest)) {
      return (await this.#known(repository, tagOrDigest, host)) ? await this.#describe(repository, tagOrDigest) : undefined;
    }
    const tag = catalog.journal.table<RegistryTag>('tags').get(`${repository}:${tagOrDigest}`);
    if (tag) return await this.#describe(repository, tag.digest);
    for (const name of this.#names(repository, host)) {
      const record = catalog.references.get(`${name}:${tagOrDigest}`);
      // An index of which only one platform was pulled can't be served whole.
      const manifest = record && catalog.images.get(record.id)?.manifest;
      if (manifest !== undefined) return await this.#describe(repository, manifest);
    }
    return undefined;
  }

  /** Verifies and keeps a manifest. @throws `invalid`; `not-found` for blobs that are missing (`cause.missing`) */
  async put(repository: string, tagOrDigest: string, mediaType: string, bytes: Buffer, host: string): Promise<StoredManifest & { readonly subject?: string }> {
    const { catalog, clock, content, leases } = this.#parts;
    const digest = digestOf(bytes);
    const byDigest = tagOrDigest.includes(':');
    if (byDigest && tagOrDigest !== digest) throw new LongshoreError('invalid', `the manifest's digest is ${digest}, not ${tagOrDigest}`);
    const { manifest, index } = parseManifest(bytes, mediaType === '' ? undefined : mediaType);
    const lease = leases.open(digest);
    try {
      const needed = manifest ? [manifest.config, ...manifest.layers.filter((layer) => !isForeignLayer(layer.mediaType))] : index.manifests;
      for (const blob of needed) {
        lease.add(blob.digest);
        if (!(await content.has(blob.digest))) {
          throw new LongshoreError('not-found', `blob unknown to registry: ${blob.digest}`, { object: blob.digest });
        }
      }
      await content.write(bytes, { digest });
      const { subject, artifactType = manifest?.config.mediaType, annotations, mediaType: type } = manifest ?? index;
      const record: RegistryManifest = {
        mediaType: type,
        size: bytes.length,
        ...(subject ? { subject: subject.digest } : {}),
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(annotations === undefined ? {} : { annotations }),
      };
      const changes: Change[] = [{ table: 'manifests', key: `${repository}@${digest}`, value: record }];
      if (!byDigest) changes.push({ table: 'tags', key: `${repository}:${tagOrDigest}`, value: { digest } satisfies RegistryTag });
      const image = manifest && (await this.#image(digest));
      if (image) {
        // The name that a client of this machine used is the image's name here.
        const names = byDigest || !isLoopbackDomain(host) ? [] : [`${host}/${repository}:${tagOrDigest}`];
        if (!catalog.images.has(image)) {
          changes.push(...catalog.changesFor(image, digest, digest, names, [], clock.now()));
        } else if (names.length > 0) {
          changes.push(...catalog.changesFor(image, catalog.images.get(image)!.manifest, digest, names, [], clock.now()));
        }
      }
      await content.flush([digest, ...needed.map((blob) => blob.digest)]);
      await catalog.journal.commit(changes);
      leases.owned([digest, ...needed.map((blob) => blob.digest)]);
      if (image && !byDigest) this.#parts.emit({ action: 'tag', id: image, name: familiar(`${host}/${repository}:${tagOrDigest}`) });
      return { digest, mediaType: type, size: bytes.length, ...(subject ? { subject: subject.digest } : {}) };
    } finally {
      await lease.end();
    }
  }

  /** A tag alone, or a manifest with all tags that lead to it; the names here that came with them go too, not the image. @returns false when there was none */
  async remove(repository: string, tagOrDigest: string, host: string): Promise<boolean> {
    const { journal, references } = this.#parts.catalog;
    const names = (...keys: readonly string[]): Change[] =>
      keys.flatMap((key) => (references.has(`${host}/${key}`) ? [{ table: 'references', key: `${host}/${key}` }] : []));
    const tags = journal.table<RegistryTag>('tags');
    if (!tagOrDigest.includes(':')) {
      const key = `${repository}:${tagOrDigest}`;
      if (!tags.has(key)) return false;
      await journal.commit([{ table: 'tags', key }, ...names(key)]);
      return true;
    }
    const key = `${repository}@${tagOrDigest}`;
    if (!journal.table('manifests').has(key)) return false;
    const mine = [...tags].filter(([name, tag]) => name.startsWith(`${repository}:`) && tag.digest === tagOrDigest);
    await journal.commit([{ table: 'manifests', key }, ...mine.map(([key]) => ({ table: 'tags', key })), ...names(...mine.map(([key]) => key))]);
    return true;
  }

  /** Sorted; undefined for a repository that nobody has heard of. */
  tags(repository: string, host: string): readonly string[] | undefined {
    const { catalog } = this.#parts;
    const found = new Set<string>();
    for (const name of catalog.journal.table('tags').keys()) {
      if (name.startsWith(`${repository}:`)) {
        found.add(name.slice(repository.length + 1));
      }
    }
    const names = new Set(this.#names(repository, host));
    for (const name of catalog.references.keys()) {
      const reference = parseReference(name);
      if (reference.tag !== undefined && names.has(repositoryOf(reference))) found.add(reference.tag);
    }
    if (found.size === 0 && ![...catalog.journal.table('manifests').keys()].some((key) => key.startsWith(`${repository}@`))) {
      return undefined;
    }
    return [...found].sort();
  }

  /** All repositories, sorted: those that were pushed, and the images of this machine. */
  repositories(host: string): readonly string[] {
    const { catalog } = this.#parts;
    const found = new Set<string>();
    for (const key of catalog.journal.table('manifests').keys()) found.add(key.slice(0, key.lastIndexOf('@')));
    for (const name of catalog.references.keys()) {
      const reference = parseReference(name);
      if (reference.domain === DEFAULT_DOMAIN) found.add(familiar(repositoryOf(reference)));
      else found.add(reference.domain === host ? reference.path : repositoryOf(reference));
    }
    return [...found].sort();
  }

  /** Manifests of the repository whose subject is `digest`. */
  referrers(repository: string, digest: string): readonly (Descriptor & { readonly artifactType?: string })[] {
    const out: (Descriptor & { readonly artifactType?: string })[] = [];
    for (const [key, record] of this.#parts.catalog.journal.table<RegistryManifest>('manifests')) {
      if (!key.startsWith(`${repository}@`) || record.subject !== digest) continue;
      out.push({
        mediaType: record.mediaType,
        digest: key.slice(repository.length + 1),
        size: record.size,
        ...(record.artifactType === undefined ? {} : { artifactType: record.artifactType }),
        ...(record.annotations === undefined ? {} : { annotations: record.annotations }),
      });
    }
    return out;
  }

  /** A blob in the making. */
  async writer(): Promise<BlobWriter> {
    return await this.#parts.content.writer();
  }

  /** The names under which an image of this machine answers to a repository of the registry. */
  #names(repository: string, host: string): string[] {
    const names = [`${host}/${repository}`, `${DEFAULT_DOMAIN}/${repository.includes('/') ? '' : 'library/'}${repository}`];
    // `ghcr.io/owner/app`: the image's whole name as repository.
    if (/^[^/]*[.:][^/]*\//.test(repository) || repository.startsWith('localhost/')) names.push(repository);
    return names;
  }

  async #known(repository: string, digest: string, host: string): Promise<boolean> {
    const { catalog, content } = this.#parts;
    if (!(await content.has(digest))) return false;
    if (catalog.journal.table('manifests').has(`${repository}@${digest}`)) return true;
    const names = new Set(this.#names(repository, host));
    for (const table of [catalog.references, catalog.digests]) {
      for (const [name, record] of table) {
        if (
          names.has(repositoryOf(parseReference(name))) &&
          (record.target === digest || catalog.images.get(record.id)?.manifest === digest)
        ) {
          return true;
        }
      }
    }
    return false;
  }

  async #describe(repository: string, digest: string): Promise<StoredManifest> {
    const record = this.#parts.catalog.journal.table<RegistryManifest>('manifests').get(`${repository}@${digest}`);
    if (record) return { digest, mediaType: record.mediaType, size: record.size };
    const bytes = await this.#parts.content.read(digest);
    const { manifest, index } = parseManifest(bytes);
    return { digest, mediaType: (manifest ?? index).mediaType, size: bytes.length };
  }

  /** The image id of a manifest; undefined for an artifact that is no container image. */
  async #image(manifestDigest: string): Promise<string | undefined> {
    try {
      return (await this.#parts.catalog.read(manifestDigest)).id;
    } catch (error) {
      if (error instanceof LongshoreError) return undefined;
      throw error;
    }
  }
}

/** True for a repository name as the distribution specification has it. */
export function isRepositoryName(name: string): boolean {
  if (name.length > 255) return false;
  try {
    return (
      fullName(parseReference(`localhost/${name}`)) === `localhost/${name}:latest` ||
      (/^[a-z0-9.-]+(?::[0-9]+)?\/./.test(name) && parseReference(name).tag === undefined)
    );
  } catch {
    // Not a name, then.
    return false;
  }
}
