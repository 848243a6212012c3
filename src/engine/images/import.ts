import type { Readable } from 'node:stream';
import { Readable as NodeReadable } from 'node:stream';
import { shortId } from './digest.ts';
import { takeLayer } from './intake.ts';
import type { PreparedLayer } from './layers/layer-store.ts';
import type { Image, ImageConfig, Platform, TransferProgress } from './images.ts';
import { compressionOf, decompress, peek } from './layers/compression.ts';
import { OCI_LAYER } from './media-types.ts';
import type { Parts } from './parts.ts';
import { recordImage, writeImage } from './record.ts';
import { fullName, parseTagged } from './reference.ts';

export interface ImportOptions {
  readonly reference?: string;
  readonly message?: string;
  readonly config?: ImageConfig;
  /** Default: this machine's. */
  readonly platform?: Platform;
  readonly progress?: (event: TransferProgress) => void;
  readonly signal?: AbortSignal;
}

/** `docker import`: an image of one layer. @throws `invalid` for a malformed reference or archive */
export async function importImage(parts: Parts, tar: Readable, options: ImportOptions): Promise<Image> {
  const reference = options.reference === undefined || options.reference === '' ? undefined : fullName(parseTagged(options.reference));
  const lease = parts.leases.open();
  let prepared: PreparedLayer | undefined;
  try {
    const { start, whole } = await peek(tar);
    const plain = decompress(NodeReadable.from(whole, { objectMode: false }), compressionOf(start));
    const layer = await takeLayer(parts, plain, {}, { unpack: true, signal: options.signal });
    prepared = layer.prepared;
    lease.add(layer.digest);
    const path = parts.content.path(layer.digest);
    await parts.layers.ensure(
      [
        {
          diffId: layer.digest,
          path: () => Promise.resolve(path),
          prepared: () => layer.prepared,
          progress: (current) => options.progress?.({ id: shortId(layer.digest), status: 'Extracting', current, total: layer.size }),
        },
      ],
      options.signal,
    );
    const created = new Date(parts.clock.now()).toISOString();
    const { manifestDigest } = await writeImage(
      parts,
      {
        created,
        ...(options.platform ?? parts.platform),
        config: options.config ?? {},
        rootfs: { type: 'layers', diff_ids: [layer.digest] },
        history: [{ created, comment: options.message ?? 'Imported from -' }],
      },
      [{ mediaType: OCI_LAYER, digest: layer.digest, size: layer.size }],
    );
    const image = await recordImage(parts, manifestDigest, { references: reference === undefined ? [] : [reference] });
    parts.emit({ action: 'import', id: image.id, name: options.reference ?? image.id });
    return image;
  } finally {
    await lease.end();
    if (prepared) await parts.layers.discard(prepared);
  }
}
