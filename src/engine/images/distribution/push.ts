import { Readable } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';
import { digestOf, shortId } from '../digest.ts';
import type { Descriptor, TransferOptions, TransferProgress } from '../images.ts';
import { parseManifest } from '../manifest.ts';
import type { Manifest } from '../manifest.ts';
import { DOCKER_LAYER, DOCKER_LAYER_GZIP, OCI_LAYER, OCI_LAYER_GZIP } from '../media-types.ts';
import { familiar, fullName, isLoopbackDomain, parseReference, parseTagged, repositoryOf } from '../reference.ts';
import { RegistryClient } from './client.ts';
import { parallelGzip } from './parallel-gzip.ts';
import type { GzipResult } from './parallel-gzip.ts';
import { Slots } from './pull.ts';
import type { PullParts } from './pull.ts';

/** Layers that are sent at a time, as Docker does. */
const WIDTH = 5;
const PROGRESS_BYTES = 1 << 20;

/** The compressed form of a layer that is kept plain: journal table `compressed`, by diff id. */
interface CompressedRecord {
  readonly digest: string;
  readonly size: number;
}

/**
 * `docker push`: layers that the registry lacks, then config and manifest. Plain layers are
 * compressed on the way, without a copy on disk; their digest is remembered. A registry on
 * loopback gets them as they are: no wire gains what compressing would cost.
 * @throws `not-found` (no such image here), `unauthorized`, `unavailable`
 */
export async function pushImage(parts: PullParts, name: string, options: TransferOptions): Promise<{ readonly digest: string; readonly size: number }> {
  const reference = parseTagged(name);
  const full = fullName(reference);
  const record = parts.catalog.references.get(full) ?? parts.catalog.digests.get(full);
  if (!record) {
    throw new LongshoreError('not-found', `An image does not exist locally with the tag: ${familiar(repositoryOf(reference))}`, {
      object: `image ${familiar(full)}`,
      remedy: `Give an image this name first, with docker tag IMAGE ${familiar(full)}.`,
    });
  }
  const image = await parts.catalog.image(record.id);
  const progress = options.progress ?? (() => {});
  const siblings = siblingRepositories(parts, record.id, reference.domain, reference.path);
  const client = new RegistryClient({
    http: parts.http,
    clock: parts.clock,
    domain: reference.domain,
    repository: reference.path,
    actions: 'pull,push',
    alsoPull: siblings,
    insecure: parts.insecureRegistries,
    ...(options.credentials ? { credentials: options.credentials } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const lease = parts.leases.open(image.id, image.manifestDigest, ...image.layers.map((layer) => layer.digest));
  try {
    progress({ status: `The push refers to repository [${repositoryOf(reference)}]` });
    const bytes = await parts.content.read(image.manifestDigest);
    const { manifest } = parseManifest(bytes);
    const slots = new Slots(WIDTH);
    for (const layer of image.layers) progress({ id: shortId(layer.digest), status: 'Preparing' });
    const unique = new Map<string, Promise<Descriptor>>();
    for (const [at, layer] of manifest!.layers.entries()) {
      if (unique.has(layer.digest)) continue;
      unique.set(
        layer.digest,
        slots.run(() =>
          pushLayer(
            parts,
            client,
            layer,
            { diffId: image.document.rootfs.diff_ids[at]!, compress: !isLoopbackDomain(reference.domain) },
            siblings,
            progress,
            options.signal,
          ),
        ),
      );
    }
    // All end before anybody hears of a failure: what runs still reads.
    const results = await Promise.allSettled(unique.values());
    for (const result of results) if (result.status === 'rejected') throw options.signal?.aborted ? options.signal.reason : result.reason;
    const layers = await Promise.all(manifest!.layers.map((layer) => unique.get(layer.digest)!));
    if (!(await client.hasBlob(manifest!.config.digest))) {
      const { location } = await client.startUpload();
      await client.upload(location!, manifest!.config.digest, manifest!.config.size, await parts.content.read(manifest!.config.digest));
    }
    const same = layers.every((layer, at) => layer.digest === manifest!.layers[at]!.digest);
    const pushed = same ? bytes : rewrite(bytes, manifest!, layers);
    const digest = digestOf(pushed);
    const tag = reference.digest ?? reference.tag!;
    await client.putManifest(tag, manifest!.mediaType, pushed);
    await parts.catalog.journal.commit([{ table: 'digests', key: `${repositoryOf(reference)}@${digest}`, value: { id: image.id, target: digest } }]);
    parts.emit({ action: 'push', id: image.id, name: familiar(full) });
    progress({ status: `${tag}: digest: ${digest} size: ${pushed.length}` });
    return { digest, size: pushed.length };
  } catch (error) {
    throw options.signal?.aborted ? new LongshoreError('canceled', `the push of ${name} was cancelled`, { cause: error }) : error;
  } finally {
    await lease.end();
  }
}

/** Other repositories of the same registry that have this image's layers. */
function siblingRepositories(parts: PullParts, id: string, domain: string, path: string): string[] {
  const found = new Set<string>();
  for (const [name, record] of parts.catalog.digests) {
    if (record.id !== id) continue;
    const reference = parseReference(name);
    if (reference.domain === domain && reference.path !== path) found.add(reference.path);
  }
  return [...found].slice(0, 3);
}

/** @returns the layer's descriptor as the registry has it */
async function pushLayer(
  parts: PullParts,
  client: RegistryClient,
  layer: Descriptor,
  { diffId, compress }: { readonly diffId: string; readonly compress: boolean },
  siblings: readonly string[],
  progress: (event: TransferProgress) => void,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const id = shortId(layer.digest);
  const toCompress = compress && (layer.mediaType === OCI_LAYER || layer.mediaType === DOCKER_LAYER);
  const compressed = toCompress ? parts.catalog.journal.table<CompressedRecord>('compressed').get(diffId) : undefined;
  const gzipType = layer.mediaType === DOCKER_LAYER ? DOCKER_LAYER_GZIP : OCI_LAYER_GZIP;
  const wanted: Descriptor | undefined = toCompress ? compressed && { mediaType: gzipType, digest: compressed.digest, size: compressed.size } : layer;
  if (wanted && (await client.hasBlob(wanted.digest))) {
    progress({ id, status: 'Layer already exists' });
    return wanted;
  }
  let location: URL | undefined;
  for (const from of wanted ? siblings : []) {
    const begun = await client.startUpload({ digest: wanted!.digest, from });
    if (begun.mounted) {
      progress({ id, status: `Mounted from ${from}` });
      return wanted!;
    }
    ({ location } = begun);
    if (location) break;
  }
  location ??= (await client.startUpload()).location!;
  const report = (current: number): void => progress({ id, status: 'Pushing', current, total: layer.size });
  if (!toCompress) {
    let sent = 0;
    await client.upload(location, layer.digest, layer.size, (write) =>
      parts.content.send(layer.digest, async (piece) => {
        signal?.throwIfAborted();
        await write(piece);
        report((sent += piece.length));
      }),
    );
    progress({ id, status: 'Pushed' });
    return layer;
  }
  const counted = count(await parts.content.stream(layer.digest), report, signal);
  const result: GzipResult = { digest: '', size: 0, plainBytes: 0 };
  await client.uploadStream(location, Readable.from(parallelGzip(counted, result), { objectMode: false, highWaterMark: 1 << 20 }), () => result.digest);
  await parts.catalog.journal.commit([{ table: 'compressed', key: diffId, value: { digest: result.digest, size: result.size } satisfies CompressedRecord }]);
  progress({ id, status: 'Pushed' });
  return { mediaType: gzipType, digest: result.digest, size: result.size };
}

async function* count(source: Readable, report: (bytes: number) => void, signal: AbortSignal | undefined): AsyncGenerator<Buffer, void, void> {
  let bytes = 0;
  let reported = 0;
  for await (const piece of source as AsyncIterable<Buffer>) {
    signal?.throwIfAborted();
    bytes += piece.length;
    if (bytes - reported >= PROGRESS_BYTES) report((reported = bytes));
    yield piece;
  }
}

/** The manifest with its layers in the form in which they were pushed. */
function rewrite(bytes: Buffer, manifest: Manifest, layers: readonly Descriptor[]): Buffer {
  const document = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  return Buffer.from(
    JSON.stringify({
      ...document,
      mediaType: manifest.mediaType,
      layers: layers.map(({ mediaType, digest, size, annotations }) => ({ mediaType, digest, size, ...(annotations ? { annotations } : {}) })),
    }),
  );
}
