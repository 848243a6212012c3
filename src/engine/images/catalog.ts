import { LongshoreError } from '../../lib/errors.ts';
import type { FileContentStore } from './content.ts';
import { chainIds, isDigest } from './digest.ts';
import type { Descriptor, Image, ImageDocument } from './images.ts';
import type { Change, Journal } from './journal.ts';
import type { LayerStore } from './layers/layer-store.ts';
import { parseImageDocument, parseManifest } from './manifest.ts';
import { familiar, fullName, parseReference, parseTagged, repositoryOf } from './reference.ts';

/** What is kept of an image beside its blobs. */
export interface ImageRecord {
  readonly manifest: string;
  readonly lastTaggedMs?: number;
}

/** Where a reference leads. */
export interface ReferenceRecord {
  readonly id: string;
  /** The digest of the manifest, or of the index it was taken from. */
  readonly target: string;
}

/** Documents kept in memory. */
const CACHE = 256;

/** Images and references: the journal's tables, and the documents they point at. */
export class Catalog {
  readonly journal: Journal;
  readonly #content: FileContentStore;
  readonly #layers: LayerStore;
  /** By manifest digest: both documents never change. */
  readonly #documents = new Map<string, { readonly id: string; readonly document: ImageDocument; readonly layers: readonly Descriptor[] }>();

  constructor(journal: Journal, content: FileContentStore, layers: LayerStore) {
    this.journal = journal;
    this.#content = content;
    this.#layers = layers;
  }

  get images(): ReadonlyMap<string, ImageRecord> {
    return this.journal.table('images');
  }

  get references(): ReadonlyMap<string, ReferenceRecord> {
    return this.journal.table('references');
  }

  /** `name@digest` to image id. */
  get digests(): ReadonlyMap<string, ReferenceRecord> {
    return this.journal.table('digests');
  }

  /** The image of a manifest, whether it is recorded or not. @throws `not-found`, `invalid` */
  async read(manifestDigest: string): Promise<{ readonly id: string; readonly document: ImageDocument; readonly layers: readonly Descriptor[] }> {
    const known = this.#documents.get(manifestDigest);
    if (known) return known;
    const { manifest } = parseManifest(await this.#content.read(manifestDigest));
    if (!manifest) throw new LongshoreError('invalid', `${manifestDigest} is an index, not an image`, { object: manifestDigest });
    const document = parseImageDocument(await this.#content.read(manifest.config.digest));
    if (document.rootfs.diff_ids.length !== manifest.layers.length) {
      throw new LongshoreError(
        'invalid',
        `the image has ${manifest.layers.length} layers, but its configuration names ${document.rootfs.diff_ids.length}`,
        { object: manifestDigest },
      );
    }
    const made = { id: manifest.config.digest, document, layers: manifest.layers };
    this.#documents.set(manifestDigest, made);
    if (this.#documents.size > CACHE) this.#documents.delete(this.#documents.keys().next().value!);
    return made;
  }

  /** @throws `not-found` */
  async image(id: string): Promise<Image> {
    const record = this.images.get(id);
    if (!record) throw noSuchImage(id);
    const { document, layers } = await this.read(record.manifest);
    const layerBytes = chainIds(document.rootfs.diff_ids).map((chain, at) => this.#layers.get(chain)?.bytes ?? layers[at]!.size);
    return {
      id,
      manifestDigest: record.manifest,
      references: namesOf(this.references, id),
      repoDigests: namesOf(this.digests, id),
      document,
      layers,
      sizeBytes: layerBytes.reduce((sum, bytes) => sum + bytes, 0),
      layerBytes,
      createdMs: Date.parse(document.created ?? '') || 0,
      lastTaggedMs: record.lastTaggedMs,
    };
  }

  /** The id that a name, `name@digest`, id or unambiguous id prefix means. @throws `not-found`, `invalid` */
  resolve(nameOrId: string): string {
    if (isDigest(nameOrId) && this.images.has(nameOrId)) return nameOrId;
    if (/^[0-9a-f]{64}$/.test(nameOrId)) {
      if (this.images.has(`sha256:${nameOrId}`)) return `sha256:${nameOrId}`;
      throw noSuchImage(nameOrId);
    }
    const named = this.#named(nameOrId);
    if (named !== undefined) return named;
    const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(nameOrId)?.[1];
    if (prefix !== undefined) {
      const found = [...this.images.keys()].filter((id) => id.startsWith(`sha256:${prefix}`));
      if (found.length === 1) return found[0]!;
      if (found.length > 1) {
        throw new LongshoreError('invalid', `multiple IDs found with provided prefix: ${prefix}`, {
          object: nameOrId,
          remedy: 'Give more digits of the id.',
        });
      }
    }
    throw noSuchImage(nameOrId.startsWith('sha256:') ? nameOrId : familiar(fullName(parseTagged(nameOrId))));
  }

  /** True when `nameOrId` means the image by its id rather than by a name. */
  isId(nameOrId: string, id: string): boolean {
    if (nameOrId === id) return true;
    const bare = nameOrId.replace(/^sha256:/, '');
    return /^[0-9a-f]{1,64}$/.test(bare) && id.startsWith(`sha256:${bare}`) && this.#named(nameOrId) === undefined;
  }

  /** The changes that record an image and point references at it. */
  changesFor(id: string, manifest: string, target: string, references: readonly string[], repoDigests: readonly string[], nowMs: number): Change[] {
    const previous = this.images.get(id);
    const lastTaggedMs = references.length > 0 ? nowMs : previous?.lastTaggedMs;
    return [
      { table: 'images', key: id, value: { manifest, ...(lastTaggedMs === undefined ? {} : { lastTaggedMs }) } satisfies ImageRecord },
      ...references.map((key) => ({ table: 'references', key, value: { id, target } satisfies ReferenceRecord })),
      ...repoDigests.map((key) => ({ table: 'digests', key, value: { id, target } satisfies ReferenceRecord })),
    ];
  }

  /** undefined too when it can't be a name. */
  #named(text: string): string | undefined {
    let reference;
    try {
      reference = parseTagged(text);
    } catch (error) {
      if (/^(?:sha256:)?[0-9a-f]+$/.test(text)) return undefined;
      throw error;
    }
    if (reference.digest === undefined) return this.references.get(fullName(reference))?.id;
    const byDigest = this.digests.get(`${repositoryOf(reference)}@${reference.digest}`)?.id;
    if (byDigest !== undefined) return byDigest;
    // `name@sha256:<image id>`, or the digest of an image's own manifest under one of its names.
    for (const [name, record] of this.references) {
      const parsed = parseReference(name);
      if (repositoryOf(parsed) !== repositoryOf(reference)) continue;
      if (
        record.target === reference.digest ||
        this.images.get(record.id)?.manifest === reference.digest ||
        record.id === reference.digest
      ) {
        return record.id;
      }
    }
    return undefined;
  }
}

function namesOf(table: ReadonlyMap<string, ReferenceRecord>, id: string): string[] {
  const out: string[] = [];
  for (const [name, record] of table) if (record.id === id) out.push(name);
  return out.sort();
}

function noSuchImage(name: string): LongshoreError {
  return new LongshoreError('not-found', `No such image: ${name}`, { object: `image ${name}` });
}
