import { Readable } from 'node:stream';
import { packTar } from '../../lib/tar.ts';
import type { PackEntry, TarHeader } from '../../lib/tar.ts';
import type { Catalog } from './catalog.ts';
import { hexOf } from './digest.ts';
import type { Image } from './images.ts';
import { OCI_INDEX } from './media-types.ts';
import type { Parts } from './parts.ts';
import { parseManifest } from './manifest.ts';
import { familiar, fullName, parseReference, parseTagged, repositoryOf } from './reference.ts';

/**
 * `docker save`: one tar that is both an OCI image layout and what older Docker reads
 * (manifest.json, repositories). The same images give the same bytes.
 * @throws `not-found`, `invalid`
 */
export async function saveImages(parts: Parts, namesOrIds: readonly string[], names?: readonly string[]): Promise<Readable> {
  const wanted = new Map<string, { image: Image; names: Set<string> }>();
  for (const nameOrId of namesOrIds) {
    const id = resolveAll(parts.catalog, nameOrId);
    for (const { image, name } of await Promise.all(id.map(async ({ id, name }) => ({ image: await parts.catalog.image(id), name })))) {
      const entry = wanted.get(image.id) ?? { image, names: new Set<string>() };
      if (name !== undefined) entry.names.add(name);
      wanted.set(image.id, entry);
    }
  }
  const [only] = wanted.values();
  if (names && only) only.names = new Set(names);
  const lease = parts.leases.open();
  for (const { image } of wanted.values()) lease.add(image.id, image.manifestDigest, ...image.layers.map((layer) => layer.digest));
  const tar = Readable.from(packTar(entries(parts, [...wanted.values()])), { objectMode: false, highWaterMark: 1 << 20 });
  tar.once('close', () => void lease.end());
  for (const { image, names } of wanted.values()) {
    parts.emit({ action: 'save', id: image.id, name: [...names].map(familiar)[0] ?? image.id });
  }
  return tar;
}

/** A name without a tag means all tags of the repository. */
function resolveAll(catalog: Catalog, nameOrId: string): { readonly id: string; readonly name: string | undefined }[] {
  const id = catalogId(catalog, nameOrId);
  if (id !== undefined) return [{ id, name: undefined }];
  const reference = parseReference(nameOrId);
  if (reference.tag === undefined && reference.digest === undefined) {
    const all = [...catalog.references].filter(([name]) => repositoryOf(parseReference(name)) === repositoryOf(reference));
    if (all.length > 0) return all.map(([name, record]) => ({ id: record.id, name }));
  }
  return [{ id: catalog.resolve(nameOrId), name: reference.digest === undefined ? fullName(parseTagged(nameOrId)) : undefined }];
}

function catalogId(catalog: Catalog, nameOrId: string): string | undefined {
  if (!/^(?:sha256:)?[0-9a-f]+$/.test(nameOrId)) return undefined;
  const id = catalog.resolve(nameOrId);
  return catalog.isId(nameOrId, id) ? id : undefined;
}

async function* entries(
  parts: Parts,
  wanted: readonly { readonly image: Image; readonly names: ReadonlySet<string> }[],
): AsyncGenerator<PackEntry, void, void> {
  const mtime = 0;
  const folder = (name: string): PackEntry => ({ header: { name, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime } });
  const json = (name: string, value: unknown): PackEntry => {
    const body = Buffer.from(JSON.stringify(value));
    return { header: fileHeader(name, body.length, mtime), body };
  };
  const blobs = new Set<string>();
  for (const { image } of wanted) {
    for (const digest of [image.id, image.manifestDigest, ...image.layers.map((layer) => layer.digest)]) {
      blobs.add(digest);
    }
  }
  yield folder('blobs');
  yield folder('blobs/sha256');
  for (const digest of [...blobs].sort()) {
    const size = (await parts.content.size(digest)) ?? 0;
    yield { header: fileHeader(blobName(digest), size, mtime), body: await parts.content.stream(digest) };
  }
  const descriptors: unknown[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, names } of wanted) {
    const bytes = await parts.content.read(image.manifestDigest);
    const mediaType = parseManifest(bytes).manifest!.mediaType;
    const base = {
      mediaType,
      digest: image.manifestDigest,
      size: bytes.length,
      platform: { architecture: image.document.architecture, os: image.document.os },
    };
    if (names.size === 0) descriptors.push(base);
    for (const name of names) {
      const { tag } = parseReference(name);
      descriptors.push({ ...base, annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag ?? 'latest' } });
      const repository = familiar(repositoryOf(parseReference(name)));
      (repositories[repository] ??= {})[tag ?? 'latest'] = hexOf(image.layers.at(-1)?.digest ?? image.id);
    }
  }
  yield json('index.json', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: descriptors });
  yield json(
    'manifest.json',
    wanted.map(({ image, names }) => ({
      Config: blobName(image.id),
      RepoTags: names.size === 0 ? null : [...names].map(familiar),
      Layers: image.layers.map((layer) => blobName(layer.digest)),
      LayerSources: Object.fromEntries(
        image.layers.map((layer, at) => [
          image.document.rootfs.diff_ids[at]!,
          { mediaType: layer.mediaType, size: layer.size, digest: layer.digest },
        ]),
      ),
    })),
  );
  yield json('oci-layout', { imageLayoutVersion: '1.0.0' });
  if (Object.keys(repositories).length > 0) yield json('repositories', repositories);
}

function blobName(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function fileHeader(name: string, size: number, mtime: number): TarHeader {
  return { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime };
}
