import { LongshoreError } from '../../lib/errors.ts';
import { free } from './free.ts';
import type { PreparedLayer } from './layers/layer-store.ts';
import type { LayerIngest } from './layers/ingest.ts';
import type { Parts } from './parts.ts';

interface Place {
  readonly folder: string;
  readonly discard: () => Promise<void>;
}

type IntakeParts = Pick<Parts, 'content' | 'layers' | 'workers'>;

/** A layer's blob in the content store, and what was unpacked of it. */
export interface TakenLayer {
  readonly digest: string;
  readonly size: number;
  /** For `LayerSource.prepared`; undefined when it was not to be unpacked, or can't be. */
  readonly prepared: PreparedLayer | undefined;
}

/**
 * Takes in a layer in one pass, on a worker thread: as it comes, it is hashed, written around the page cache
 * and unpacked beside its future neighbours. The blob appears whole, verified and synced, or not at all.
 */
export class LayerIntake {
  readonly #parts: IntakeParts;
  readonly #path: string;
  readonly #ingest: LayerIngest;
  readonly #place: Place | undefined;

  private constructor(parts: IntakeParts, path: string, ingest: LayerIngest, place: Place | undefined) {
    this.#parts = parts;
    this.#path = path;
    this.#ingest = ingest;
    this.#place = place;
  }

  /** @param options.unpack for a layer that is not known to be unpacked already */
  static async begin(parts: IntakeParts, options: { readonly unpack: boolean }): Promise<LayerIntake> {
    const place = options.unpack ? await parts.layers.prepare() : undefined;
    const path = parts.content.temporaryPath();
    try {
      return new LayerIntake(parts, path, await parts.workers.ingest({ path, ...(place ? { target: place.target } : {}) }), place);
    } catch (error) {
      await place?.discard();
      throw error;
    }
  }

  /** Copies a piece. @returns undefined, or a promise to wait for before the next. @throws `exhausted` when the disk is full */
  write(piece: Uint8Array): Promise<void> | undefined {
    return this.#ingest.write(piece);
  }

  /** Verifies and publishes. After a failure nothing is left. @throws `invalid` when digest or size are not as expected; as `write` does */
  async finish(expected: { readonly digest?: string; readonly size?: number } = {}): Promise<TakenLayer> {
    try {
      const { digest, size, unpacked } = await this.#ingest.end();
      if (expected.size !== undefined && expected.size !== size) {
        throw new LongshoreError('invalid', `${expected.digest ?? digest} has ${size} bytes instead of the ${expected.size} expected`, {
          object: expected.digest,
        });
      }
      if (expected.digest !== undefined && expected.digest !== digest) {
        throw new LongshoreError('invalid', `the content's digest is ${digest} instead of the expected ${expected.digest}`, {
          object: expected.digest,
        });
      }
      await this.#parts.content.adopt(this.#path, digest, { synced: true });
      if (!unpacked) await this.#place?.discard();
      return { digest, size, prepared: unpacked && this.#place && { folder: this.#place.folder, unpacked } };
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Throws it away, unless it is finished: then only what was unpacked, if nobody took it. Safe to call twice. */
  async abort(): Promise<void> {
    await this.#ingest.abort();
    await this.#parts.content.discard(this.#path);
    await this.#place?.discard();
  }
}

/**
 * Takes in the whole of a source, whose pieces are freed when they are nobody else's.
 * @throws `invalid` for more than the expected size; as LayerIntake does; what the source throws
 */
export async function takeLayer(
  parts: IntakeParts,
  source: AsyncIterable<Uint8Array>,
  expected: { readonly digest?: string; readonly size?: number },
  options: { readonly unpack: boolean; readonly signal?: AbortSignal | undefined; readonly ownsPieces?: boolean },
): Promise<TakenLayer> {
  const intake = await LayerIntake.begin(parts, options);
  try {
    let size = 0;
    for await (const piece of source) {
      options.signal?.throwIfAborted();
      size += piece.length;
      if (expected.size !== undefined && size > expected.size) {
        throw new LongshoreError('invalid', `${expected.digest ?? 'the blob'} is larger than the ${expected.size} bytes expected`, {
          object: expected.digest,
        });
      }
      const full = intake.write(piece);
      if (full) await full;
      if (options.ownsPieces) free(piece);
    }
    options.signal?.throwIfAborted();
    return await intake.finish(expected);
  } catch (error) {
    await intake.abort();
    throw error;
  }
}
