import type { Readable } from 'node:stream';
import { isCode, LongshoreError } from '../../../lib/errors.ts';
import { chainIds, digestOf, isDigest, shortId } from '../digest.ts';
import type { Descriptor, Image, Platform, TransferOptions, TransferProgress } from '../images.ts';
import { piecesOf } from '../free.ts';
import { takeLayer } from '../intake.ts';
import type { TakenLayer } from '../intake.ts';
import type { Lease } from '../leases.ts';
import { choosePlatform, parseImageDocument, parseManifest, platformName } from '../manifest.ts';
import { isManifestType } from '../media-types.ts';
import type { Parts } from '../parts.ts';
import { recordImage } from '../record.ts';
import { familiar, fullName, parseTagged, repositoryOf } from '../reference.ts';
import { RegistryClient } from './client.ts';
import { unreachable } from './http.ts';
import type { HttpClient } from './http.ts';

/** Layers that are fetched at a time. */
const WIDTH = 3;
const TRIES = 5;
const CONFIG_BYTES = 8 << 20;
const PROGRESS_BYTES = 1 << 20;

export interface PullParts extends Parts {
  readonly http: HttpClient;
  readonly insecureRegistries: ReadonlySet<string>;
  /** Blobs that are being fetched, so that two pulls fetch each once. */
  readonly fetching: Map<string, Promise<void>>;
}

/**
 * `docker pull`: fetches layers side by side, and unpacks each as it comes; what is not verified is never seen.
 * @throws `not-found`, `unauthorized`, `unavailable`, `invalid` (what came is not what was promised), `exhausted`, `canceled`
 */
export async function pullImage(parts: PullParts, name: string, options: TransferOptions): Promise<Image> {
  const reference = parseTagged(name);
  const progress = options.progress ?? (() => {});
  const client = new RegistryClient({
    http: parts.http,
    clock: parts.clock,
    domain: reference.domain,
    repository: reference.path,
    actions: 'pull',
    insecure: parts.insecureRegistries,
    ...(options.credentials ? { credentials: options.credentials } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const lease = parts.leases.open();
  const which = reference.digest ?? reference.tag!;
  try {
    const top = await client.manifest(which);
    progress({ id: which, status: `Pulling from ${client.name}` });
    const { manifestDigest, documents } = await resolveManifest(parts, client, top, options.platform ?? parts.platform, lease);
    const known = parts.catalog.references.get(fullName(reference));
    await fetchLayers(parts, client, documents.layers, documents.diffIds, lease, progress, options.signal);
    const before = known?.id;
    const image = await recordImage(parts, manifestDigest, {
      target: top.digest,
      references: reference.digest === undefined ? [fullName(reference)] : [],
      repoDigests: [`${repositoryOf(reference)}@${top.digest}`],
    });
    parts.emit({ action: 'pull', id: image.id, name: familiar(fullName(reference)) });
    progress({ status: `Digest: ${top.digest}` });
    progress({
      status:
        before === image.id
          ? `Status: Image is up to date for ${familiar(fullName(reference))}`
          : `Status: Downloaded newer image for ${familiar(fullName(reference))}`,
    });
    return image;
  } catch (error) {
    throw options.signal?.aborted ? new LongshoreError('canceled', `the pull of ${name} was cancelled`, { cause: error }) : error;
  } finally {
    await lease.end();
  }
}

interface Documents {
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
}

/** From what the name leads to, to the one image for the platform; manifest and config are in the store afterwards. */
async function resolveManifest(
  parts: PullParts,
  client: RegistryClient,
  top: { readonly bytes: Buffer; readonly mediaType: string; readonly digest: string },
  platform: Platform,
  lease: Lease,
): Promise<{ readonly manifestDigest: string; readonly documents: Documents }> {
  let at = top;
  let { manifest, index } = parseManifest(at.bytes, at.mediaType === '' ? undefined : at.mediaType);
  if (index) {
    await store(parts, at.bytes, lease);
    const chosen = choosePlatform(index, platform);
    if (!chosen || !isManifestType(chosen.mediaType)) {
      const there = index.manifests.flatMap((entry) =>
        entry.platform && entry.platform.os !== 'unknown' ? [platformName(entry.platform)] : [],
      );
      throw new LongshoreError(
        'not-found',
        `no matching manifest for ${platformName(platform)} in the manifest list entries of ${client.name}`,
        {
          object: `image ${client.name}`,
          remedy: there.length > 0 ? `It is there for ${there.join(', ')}: choose one with --platform.` : 'Choose another image.',
        },
      );
    }
    at = await client.manifest(chosen.digest);
    if (at.bytes.length !== chosen.size) {
      throw new LongshoreError(
        'invalid',
        `the manifest ${chosen.digest} of ${client.name} has ${at.bytes.length} bytes instead of ${chosen.size}`,
      );
    }
    ({ manifest, index } = parseManifest(at.bytes, chosen.mediaType));
  }
  if (!manifest) throw new LongshoreError('invalid', `${client.name} is an index within an index`, { object: `image ${client.name}` });
  if (manifest.config.size > CONFIG_BYTES) {
    throw new LongshoreError('invalid', `the image's configuration has ${manifest.config.size} bytes`);
  }
  await store(parts, at.bytes, lease);
  const { config } = manifest;
  await fetchBlob(
    parts,
    client,
    config,
    lease,
    () => {},
    undefined,
    (bytes) => parts.content.write(bytes, { digest: config.digest, size: config.size }),
  );
  const document = parseImageDocument(await parts.content.read(manifest.config.digest));
  if (document.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new LongshoreError(
      'invalid',
      `${client.name} is not a container image: it has ${manifest.layers.length} layers, and its configuration names ${document.rootfs.diff_ids.length}`,
      { object: `image ${client.name}` },
    );
  }
  return { manifestDigest: at.digest, documents: { layers: manifest.layers, diffIds: document.rootfs.diff_ids } };
}

async function store(parts: PullParts, bytes: Buffer, lease: Lease): Promise<void> {
  const digest = digestOf(bytes);
  lease.add(digest);
  if (!(await parts.content.has(digest))) await parts.content.write(bytes, { digest });
}

async function fetchLayers(
  parts: PullParts,
  client: RegistryClient,
  layers: readonly Descriptor[],
  diffIds: readonly string[],
  lease: Lease,
  progress: (event: TransferProgress) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (layers.length === 0) return;
  parts.workers.warm();
  lease.add(...layers.map((layer) => layer.digest));
  // When one layer fails, the others need not go on.
  const failed = new AbortController();
  const both = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const gate = new Slots(WIDTH);
  const fetched = new Set<string>();
  const chains = chainIds(diffIds);
  const taken = new Map<number, TakenLayer>();
  const fetches = layers.map((layer, at) => {
    progress({ id: shortId(layer.digest), status: 'Pulling fs layer' });
    return gate
      .run(async () => {
        const came = await fetchBlob(parts, client, layer, lease, progress, both, async (bytes) => {
          const unpack = parts.layers.get(chains[at]!) === undefined;
          taken.set(at, await takeLayer(parts, bytes, layer, { unpack, signal: both, ownsPieces: true }));
        });
        if (came) fetched.add(layer.digest);
      })
      .catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
  });
  for (const fetch of fetches) fetch.catch(() => {
    // Heard of below, from the unpacking that waits for it.
  });
  try {
    await parts.layers.ensure(
      layers.map((layer, at) => {
        const id = shortId(layer.digest);
        return {
          diffId: diffIds[at]!,
          path: async () => {
            await fetches[at];
            return parts.content.path(layer.digest);
          },
          prepared: () => taken.get(at)?.prepared,
          progress: (current: number) => progress({ id, status: 'Extracting', current, total: layer.size }),
          done: () => progress({ id, status: fetched.has(layer.digest) ? 'Pull complete' : 'Already exists' }),
        };
      }),
      both,
    );
  } catch (error) {
    failed.abort(error);
    throw signal?.aborted ? signal.reason : failed.signal.reason;
  } finally {
    await Promise.allSettled(fetches);
    // What a layer was not made of: it was there in the meantime, or another failed.
    for (const { prepared } of taken.values()) if (prepared) await parts.layers.discard(prepared);
  }
  await Promise.all(fetches);
}

/** @param take puts the bytes into the content store, verified. @returns false when it was there */
async function fetchBlob(
  parts: PullParts,
  client: RegistryClient,
  blob: Descriptor,
  lease: Lease,
  progress: (event: TransferProgress) => void,
  signal: AbortSignal | undefined,
  take: (bytes: AsyncIterable<Buffer>) => Promise<unknown>,
): Promise<boolean> {
  if (!isDigest(blob.digest)) throw new LongshoreError('invalid', `unsupported digest ${blob.digest}`);
  lease.add(blob.digest);
  for (;;) {
    if ((await parts.content.size(blob.digest)) !== undefined) return false;
    const other = parts.fetching.get(blob.digest);
    if (!other) break;
    try {
      progress({ id: shortId(blob.digest), status: 'Waiting' });
      await other;
    } catch (error) {
      // Another pull was given up; ours was not.
      if (!isCode(error, 'canceled') && !(error instanceof Error && error.name === 'AbortError')) throw error;
      signal?.throwIfAborted();
    }
  }
  const running = (async () => {
    await take(download(parts, client, blob, progress, signal));
  })().finally(() => parts.fetching.delete(blob.digest));
  parts.fetching.set(blob.digest, running);
  await running;
  progress({ id: shortId(blob.digest), status: 'Download complete' });
  return true;
}

/** The blob's bytes; a broken connection is taken up where it broke. */
async function* download(
  parts: PullParts,
  client: RegistryClient,
  blob: Descriptor,
  progress: (event: TransferProgress) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, void> {
  const id = shortId(blob.digest);
  let got = 0;
  let reported = 0;
  for (let failures = 0; ; ) {
    let body: Readable | undefined;
    try {
      const answer = await client.blob(blob, got);
      body = answer.body;
      let skip = got - answer.from;
      for await (let piece of piecesOf(body)) {
        signal?.throwIfAborted();
        if (skip > 0) {
          const drop = Math.min(skip, piece.length);
          skip -= drop;
          piece = piece.subarray(drop);
          if (piece.length === 0) continue;
        }
        failures = 0;
        got += piece.length;
        if (got > blob.size) {
          throw new LongshoreError('invalid', `the registry sent more for ${blob.digest} than the ${blob.size} bytes it promised`, {
            object: blob.digest,
          });
        }
        if (got - reported >= PROGRESS_BYTES) progress({ id, status: 'Downloading', current: (reported = got), total: blob.size });
        yield piece;
      }
      if (got >= blob.size) {
        progress({ id, status: 'Verifying Checksum' });
        return;
      }
      throw Object.assign(new Error('the connection ended early'), { code: 'ECONNRESET' });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof LongshoreError && error.code !== 'unavailable') throw error;
      if (++failures >= TRIES) throw unreachable(error, client.name);
      parts.logger.debug('a download broke off and is taken up again', { digest: blob.digest, at: got });
      const waitMs = 250 * 2 ** failures;
      progress({ id, status: `Retrying in ${Math.ceil(waitMs / 1000)} second${waitMs > 1000 ? 's' : ''}` });
      await parts.clock.sleep(waitMs, signal);
    } finally {
      body?.destroy();
    }
  }
}

/** Lets so many tasks run at a time. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
