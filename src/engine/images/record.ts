import { LongshoreError } from '../../lib/errors.ts';
import { chainIds, digestOf } from './digest.ts';
import type { Descriptor, Image, ImageDocument } from './images.ts';
import { OCI_CONFIG, OCI_MANIFEST } from './media-types.ts';
import type { Parts } from './parts.ts';

/** Records the image of a manifest that is in the store, with its references. */
export async function recordImage(
  parts: Parts,
  manifestDigest: string,
  names: { readonly target?: string; readonly references: readonly string[]; readonly repoDigests?: readonly string[] },
): Promise<Image> {
  const { catalog, clock, content, leases } = parts;
  const { id, document, layers } = await catalog.read(manifestDigest);
  await content.flush([manifestDigest, id, ...layers.map((layer) => layer.digest)]);
  await catalog.journal.commit(
    catalog.changesFor(id, manifestDigest, names.target ?? manifestDigest, names.references, names.repoDigests ?? [], clock.now()),
  );
  leases.owned([
    manifestDigest,
    id,
    ...layers.map((layer) => layer.digest),
    ...chainIds(document.rootfs.diff_ids),
    ...(names.target === undefined ? [] : [names.target]),
  ]);
  return await catalog.image(id);
}

/** Stores a config and a manifest over layers that are in the store. @returns the manifest's digest. @throws `not-found` for a missing layer, `invalid` */
export async function writeImage(
  parts: Parts,
  document: ImageDocument | Buffer,
  layers: readonly Descriptor[],
  annotations: Readonly<Record<string, string>> = {},
): Promise<{ readonly manifestDigest: string; readonly id: string }> {
  const { content } = parts;
  for (const layer of layers) {
    if (!(await content.has(layer.digest))) {
      throw new LongshoreError('not-found', `the layer ${layer.digest} is not in the store`, { object: layer.digest });
    }
  }
  const config = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
  const id = digestOf(config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: id, size: config.length },
      layers: layers.map(({ mediaType, digest, size, annotations }) => ({ mediaType, digest, size, ...(annotations ? { annotations } : {}) })),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    }),
  );
  const manifestDigest = digestOf(manifest);
  if (!(await content.has(id))) await content.write(config, { digest: id, sync: false });
  if (!(await content.has(manifestDigest))) await content.write(manifest, { digest: manifestDigest, sync: false });
  // Whatever is wrong with the documents comes out here, before anybody refers to them.
  await parts.catalog.read(manifestDigest);
  return { manifestDigest, id };
}
