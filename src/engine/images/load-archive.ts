import type { Readable } from 'node:stream';
import { Readable as NodeReadable } from 'node:stream';
import { posix } from 'node:path';
import { LongshoreError } from '../../lib/errors.ts';
import { readTar } from '../../lib/tar.ts';
import type { TarEntry } from '../../lib/tar.ts';
import { freeing, piecesOf } from './free.ts';
import type { Descriptor, TransferOptions } from './images.ts';
import { LayerIntake } from './intake.ts';
import { compressionOf, decompress, peek } from './layers/compression.ts';
import { cleanName } from './layers/entry-name.ts';
import type { PreparedLayer } from './layers/layer-store.ts';
import type { Lease } from './leases.ts';
import type { Parts } from './parts.ts';

const MAX_ENTRIES = 100_000;
/** Layers that are finished while the next ones are read; each holds a thread's attention and 2 MiB. */
const LAYERS_AT_ONCE = 3;
/** So much of a file says whether it is a tar: the header's magic lies at 257. */
const MAGIC_BYTES = 262;

/** The files of an archive of images, in the content store by their digests. */
export class LoadedArchive {
  readonly #parts: Parts;
  readonly #lease: Lease;
  /** By name. */
  readonly #files = new Map<string, Descriptor>();
  /** Links to other entries. */
  readonly #links = new Map<string, string>();
  /** Digests that were here before. */
  readonly #before = new Set<string>();
  /** What was unpacked while it came, by the blob's digest. */
  readonly #prepared = new Map<string, PreparedLayer[]>();
  readonly #finishing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: Parts, lease: Lease) {
    this.#parts = parts;
    this.#lease = lease;
  }

  /**
   * Puts every file into the content store. What looks like a layer is unpacked as it comes, since the
   * documents that tell what it is come last as a rule; it is finished while the next file is read.
   * @throws `invalid`, `exhausted`, TarError
   */
  async read(tar: Readable, { signal, ownsPieces }: Pick<TransferOptions, 'signal' | 'ownsPieces'>): Promise<void> {
    const { start, whole } = await peek(ownsPieces ? piecesOf(tar) : tar);
    if (start.length === 0) throw new LongshoreError('invalid', 'the archive is empty');
    const compression = compressionOf(start);
    const plain = compression === 'none' ? (ownsPieces ? freeing(whole) : whole) : decompress(NodeReadable.from(whole, { objectMode: false }), compression);
    try {
      for await (const entry of readTar(plain, { maxEntries: MAX_ENTRIES })) {
        await this.#entry(entry, signal);
        while (this.#finishing.size >= LAYERS_AT_ONCE) await Promise.race(this.#finishing);
        if (this.#failure) break;
      }
    } finally {
      await Promise.all(this.#finishing);
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** Follows links. */
  find(name: string): Descriptor | undefined {
    let at = name;
    for (let depth = 0; depth < 8; depth++) {
      const file = this.#files.get(at);
      if (file) return file;
      const link = this.#links.get(at);
      if (link === undefined) return undefined;
      at = link;
    }
    return undefined;
  }

  /** @throws `invalid` when there is no such file */
  get(name: string): Descriptor {
    const file = this.find(cleanName(name));
    if (!file) throw new LongshoreError('invalid', `the archive's manifest.json names ${JSON.stringify(name)}, which is not in it`);
    return file;
  }

  /** What was unpacked of a layer while it came; each is given once. */
  takePrepared(digest: string): PreparedLayer | undefined {
    return this.#prepared.get(digest)?.pop();
  }

  /** Takes out again what no image needs: manifest.json and its like, or all of it after a failure. The lease has ended. */
  async tidy(): Promise<void> {
    const { catalog, content, layers, leases } = this.#parts;
    for (const unused of [...this.#prepared.values()].flat()) await layers.discard(unused);
    const needed = new Set<string>();
    for (const [id, record] of catalog.images) {
      needed.add(id).add(record.manifest);
      for (const layer of (await catalog.read(record.manifest)).layers) needed.add(layer.digest);
    }
    for (const { digest } of this.#files.values()) {
      if (needed.has(digest) || this.#before.has(digest)) continue;
      // No longer kept for its own sake; somebody else's lease on the same bytes still counts.
      leases.owned([digest]);
      if (!leases.holds(digest)) await content.remove(digest);
    }
  }

  async #entry({ header, body }: TarEntry, signal: AbortSignal | undefined): Promise<void> {
    const { content } = this.#parts;
    const name = cleanName(header.name);
    if (header.type === 'symlink') this.#links.set(name, posix.join(posix.dirname(name), header.linkname ?? ''));
    else if (header.type === 'link') this.#links.set(name, cleanName(header.linkname ?? ''));
    if (header.type !== 'file') return;
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
    const digest = hex === undefined ? undefined : `sha256:${hex}`;
    if (digest !== undefined) {
      this.#lease.add(digest);
      if ((await content.size(digest)) === header.size) {
        // It is here, and was verified when it came.
        this.#before.add(digest);
        this.#add(name, digest, header.size);
        return;
      }
    }
    const expected = { size: header.size, ...(digest === undefined ? {} : { digest }) };
    const { start, rest } = await split(body);
    if (looksLikeLayer(start)) {
      await this.#layer(name, start, rest, expected, signal);
      return;
    }
    const blob = await content.write(copies(start, rest), expected, signal);
    this.#add(name, blob.digest, blob.size);
  }

  async #layer(
    name: string,
    start: Buffer,
    rest: AsyncIterable<Uint8Array>,
    expected: { readonly size: number; readonly digest?: string },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const intake = await LayerIntake.begin(this.#parts, { unpack: true });
    try {
      await intake.write(start);
      for await (const piece of rest) {
        signal?.throwIfAborted();
        const full = intake.write(piece);
        if (full) await full;
      }
    } catch (error) {
      await intake.abort();
      throw error;
    }
    const finishing = intake
      .finish(expected)
      .then(
        ({ digest, size, prepared }) => {
          this.#add(name, digest, size);
          if (!prepared) return;
          const known = this.#prepared.get(digest);
          if (known) known.push(prepared);
          else this.#prepared.set(digest, [prepared]);
        },
        (error: unknown) => void (this.#failure ??= { error }),
      )
      .finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
  }

  #add(name: string, digest: string, size: number): void {
    this.#lease.add(digest);
    this.#files.set(name, { mediaType: '', digest, size });
  }
}

/** A copy of the beginning of a body, enough to see what it is, and what follows. */
async function split(body: AsyncIterable<Buffer>): Promise<{ readonly start: Buffer; readonly rest: AsyncIterable<Buffer> }> {
  const iterator = body[Symbol.asyncIterator]();
  let start: Buffer = Buffer.alloc(0);
  while (start.length < MAGIC_BYTES) {
    const piece = await iterator.next();
    if (piece.done) break;
    start = Buffer.concat([start, piece.value]);
  }
  return { start, rest: { [Symbol.asyncIterator]: () => iterator } };
}

/** For who keeps pieces for a while: the source's may be freed. */
async function* copies(start: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  yield start;
  for await (const piece of rest) yield Buffer.from(piece);
}

/** A tar with a POSIX or GNU header, or something compressed. Other layers are unpacked from their file. */
function looksLikeLayer(start: Buffer): boolean {
  if (start.length < MAGIC_BYTES) return false;
  return (
    start.toString('latin1', 257, MAGIC_BYTES) === 'ustar' ||
    (start[0] === 0x1f && start[1] === 0x8b) ||
    (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd)
  );
}
