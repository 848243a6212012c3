import type { Readable } from 'node:stream';
import { open } from 'node:fs/promises';
import { LongshoreError } from '../../lib/errors.ts';
import { TarError } from '../../lib/tar.ts';
import { shortId } from './digest.ts';
import type { Descriptor, Image, TransferOptions } from './images.ts';
import { compressionOf, MAGIC_BYTES } from './layers/compression.ts';
import { LoadedArchive } from './load-archive.ts';
import { choosePlatform, parseImageDocument, parseManifest } from './manifest.ts';
import type { Index } from './manifest.ts';
import { isIndexType, isManifestType, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from './media-types.ts';
import type { Parts } from './parts.ts';
import { recordImage, writeImage } from './record.ts';
import { familiar, fullName, parseTagged } from './reference.ts';

export interface LoadedImage {
  readonly image: Image;
  readonly references: readonly string[];
}

const MAX_IMAGES = 1000;

interface Found {
  readonly manifestDigest: string;
  readonly references: readonly string[];
}

/**
 * `docker load`: an archive of `docker save` (manifest.json; layers as
 * `<id>/layer.tar` or as blobs) or an OCI image layout (index.json). Everything is verified and
 * unpacked before any reference changes.
 * @throws `invalid`, `exhausted`
 */
export async function loadImages(parts: Parts, tar: Readable, options: TransferOptions = {}): Promise<LoadedImage[]> {
  const lease = parts.leases.open();
  parts.workers.warm();
  const archive = new LoadedArchive(parts, lease);
  try {
    await archive.read(tar, options);
    const found = await imagesOf(parts, archive, options);
    if (found.length === 0) {
      throw new LongshoreError('invalid', 'the archive has no image in it: neither manifest.json nor index.json names one', {
        remedy: 'For the tar of a root file system, use docker import.',
      });
    }
    const out: LoadedImage[] = [];
    for (const { manifestDigest, references } of found) {
      const { document, layers } = await parts.catalog.read(manifestDigest);
      lease.add(manifestDigest);
      // One of no layers has nothing to unpack: it can be listed, tagged and built upon.
      if (layers.length > 0) await parts.layers.ensure(
        document.rootfs.diff_ids.map((diffId, at) => {
          const { digest, size } = layers[at]!;
          const id = shortId(diffId);
          return {
            diffId,
            path: () => Promise.resolve(parts.content.path(digest)),
            prepared: () => archive.takePrepared(digest),
            progress: (current: number) => options.progress?.({ id, status: 'Loading layer', current, total: size }),
          };
        }),
        options.signal,
      );
      const image = await recordImage(parts, manifestDigest, { references });
      parts.emit({ action: 'load', id: image.id, name: references.map(familiar)[0] ?? image.id });
      out.push({ image, references });
    }
    return out;
  } catch (error) {
    throw error instanceof TarError ? new LongshoreError('invalid', error.message, { cause: error }) : error;
  } finally {
    await lease.end();
    await archive.tidy();
  }
}

async function imagesOf(parts: Parts, archive: LoadedArchive, options: TransferOptions): Promise<Found[]> {
  const manifests = archive.find('manifest.json');
  const index = archive.find('index.json');
  if (!manifests) return index ? await fromLayout(parts, index, options) : [];
  // An archive may be both; then a manifest that is there already keeps its digest.
  const known = new Map<string, string>();
  if (index) {
    for (const found of await fromLayout(parts, index, options)) {
      known.set((await parts.catalog.read(found.manifestDigest)).id, found.manifestDigest);
    }
  }
  const entries = parseEntries(await parts.content.read(manifests.digest));
  const out: Found[] = [];
  for (const entry of entries) {
    const references = entry.tags.map((tag) => fullName(parseTagged(tag)));
    const config = archive.get(entry.config);
    const same = known.get(config.digest);
    if (same !== undefined) {
      out.push({ manifestDigest: same, references });
      continue;
    }
    const bytes = await parts.content.read(config.digest);
    const document = parseImageDocument(bytes);
    if (document.rootfs.diff_ids.length !== entry.layers.length) {
      throw new LongshoreError(
        'invalid',
        `the archive's image ${entry.config} has ${entry.layers.length} layers, but its configuration names ${document.rootfs.diff_ids.length}`,
      );
    }
    const layers: Descriptor[] = [];
    for (const name of entry.layers) {
      const { digest, size } = archive.get(name);
      layers.push({ mediaType: await layerType(parts, digest), digest, size });
    }
    out.push({ manifestDigest: (await writeImage(parts, bytes, layers)).manifestDigest, references });
  }
  return out;
}

async function fromLayout(parts: Parts, file: Descriptor, options: TransferOptions): Promise<Found[]> {
  const { index } = parseManifest(await parts.content.read(file.digest));
  if (!index) throw new LongshoreError('invalid', "the archive's index.json is not an index");
  const out: Found[] = [];
  for (const entry of index.manifests) {
    if (out.length >= MAX_IMAGES) throw new LongshoreError('invalid', `the archive has more than ${MAX_IMAGES} images`);
    let at: Descriptor | undefined = entry;
    for (let depth = 0; at && isIndexType(at.mediaType) && depth < 4; depth++) {
      const nested: Index | undefined = parseManifest(await parts.content.read(at.digest), at.mediaType).index;
      at = nested && choosePlatform(nested, options.platform ?? parts.platform);
    }
    if (
      !at ||
      !isManifestType(at.mediaType) ||
      at.annotations?.['vnd.docker.reference.type'] !== undefined ||
      !(await parts.content.has(at.digest))
    ) {
      continue;
    }
    const name = entry.annotations?.['io.containerd.image.name'] ?? entry.annotations?.['org.opencontainers.image.ref.name'];
    // A bare tag, as `oci:folder:tag` writes it, names no repository.
    const references = name !== undefined && /[/:]/.test(name) ? [fullName(parseTagged(name))] : [];
    const there = out.find((found) => found.manifestDigest === at.digest);
    if (there) out[out.indexOf(there)] = { manifestDigest: at.digest, references: [...new Set([...there.references, ...references])] };
    else out.push({ manifestDigest: at.digest, references });
  }
  return out;
}

function parseEntries(bytes: Buffer): { readonly config: string; readonly tags: readonly string[]; readonly layers: readonly string[] }[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new LongshoreError('invalid', "the archive's manifest.json is not JSON", { cause });
  }
  if (!Array.isArray(parsed) || parsed.length > MAX_IMAGES) {
    throw new LongshoreError('invalid', "the archive's manifest.json is not a list of images");
  }
  return parsed.map((item: unknown) => {
    const { Config, RepoTags, Layers } = (item ?? {}) as Record<string, unknown>;
    const isStrings = (value: unknown): value is string[] => Array.isArray(value) && value.every((word) => typeof word === 'string');
    if (
      typeof Config !== 'string' ||
      !(Layers === null || Layers === undefined || isStrings(Layers)) ||
      !(RepoTags === null || RepoTags === undefined || isStrings(RepoTags))
    ) {
      throw new LongshoreError('invalid', "the archive's manifest.json is malformed");
    }
    return { config: Config, tags: RepoTags ?? [], layers: Layers ?? [] };
  });
}

async function layerType(parts: Parts, digest: string): Promise<string> {
  const file = await open(parts.content.path(digest), 'r');
  try {
    const start = Buffer.alloc(MAGIC_BYTES);
    const { bytesRead } = await file.read(start, 0, MAGIC_BYTES, 0);
    return { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD }[compressionOf(start.subarray(0, bytesRead))];
  } finally {
    await file.close();
  }
}
