import { alignedMemory } from '../../../host/direct.ts';
import type { AlignedMemory } from '../../../host/direct.ts';
import type { Ingested, IngestJob } from './ingest-job.ts';

/** What goes to the thread that has the other end. */
export type ToIngest = { readonly ingest: IngestJob } | { readonly slot: number; readonly length: number } | { readonly end: true } | { readonly give: 'up' };

const SLOTS = 4;
const SLOT_BYTES = 512 * 1024;

/**
 * A blob in the making on a worker thread: pieces are copied into shared memory,
 * and taken from there while the next ones come.
 */
export class LayerIngest {
  readonly #memory: AlignedMemory;
  readonly #views: readonly Buffer[];
  readonly #free: number[] = [];
  readonly #post: (message: ToIngest) => void;
  readonly #result = Promise.withResolvers<Ingested | undefined>();
  #filling: { readonly slot: number; length: number } | undefined;
  #wake: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;

  constructor(job: Pick<IngestJob, 'path' | 'target'>, post: (message: ToIngest) => void) {
    this.#memory = alignedMemory(SLOTS * SLOT_BYTES);
    this.#post = post;
    this.#views = Array.from({ length: SLOTS }, (_, slot) => {
      this.#free.push(slot);
      return Buffer.from(this.#memory.memory, this.#memory.offset + slot * SLOT_BYTES, SLOT_BYTES);
    });
    this.#result.promise.catch(() => {
      // Thrown where the next piece comes, or at the end.
    });
    post({ ingest: { ...job, memory: this.#memory, slots: SLOTS, slotBytes: SLOT_BYTES } });
  }

  /** Copies a piece. @returns undefined, or, when it has to wait for room, when it is done: one call at a time. @throws `exhausted` when the disk is full */
  write(piece: Uint8Array): Promise<void> | undefined {
    for (let at = 0; at < piece.length; ) {
      if (this.#failure) throw this.#failure.error;
      if (!this.#filling) {
        const slot = this.#free.pop();
        if (slot === undefined) return this.#writeLater(piece.subarray(at));
        this.#filling = { slot, length: 0 };
      }
      const { slot, length } = this.#filling;
      const take = Math.min(SLOT_BYTES - length, piece.length - at);
      this.#views[slot]!.set(take === piece.length ? piece : piece.subarray(at, at + take), length);
      this.#filling.length += take;
      at += take;
      if (this.#filling.length === SLOT_BYTES) this.#send();
    }
    return undefined;
  }

  /** Syncs what was written. @throws as `write` does */
  async end(): Promise<Ingested> {
    this.#send();
    this.#ended = true;
    this.#post({ end: true });
    return (await this.#result.promise)!;
  }

  /** Throws the blob away; resolves when nothing writes any more. Safe to call twice, and after the end. */
  async abort(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      this.#post({ give: 'up' });
    }
    await this.#result.promise.catch(() => {
      // It is given up either way.
    });
  }

  /** A slot can be filled again. */
  freed(slot: number): void {
    this.#free.push(slot);
    this.#wake?.();
  }

  /** @param result undefined when it was given up */
  done(result: Ingested | undefined): void {
    this.#result.resolve(result);
  }

  failed(error: unknown): void {
    this.#failure ??= { error };
    this.#result.reject(error);
    this.#wake?.();
  }

  #send(): void {
    if (!this.#filling) return;
    this.#post(this.#filling);
    this.#filling = undefined;
  }

  async #writeLater(rest: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    await this.write(rest);
  }
}
