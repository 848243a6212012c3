import type { Clock } from '../../lib/clock.ts';
import { isCode, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Store, WatchEvent } from './store.ts';

export interface AutoCompactionOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long history is kept, in milliseconds: 5 minutes, as Kubernetes' API server asks of etcd. */
  readonly keepMs?: number;
  /** At most so many revisions of it. */
  readonly keepRevisions?: number;
  /** At most so many bytes of values in it. */
  readonly keepBytes?: number;
}

/** The store at one moment. */
interface Mark {
  readonly at: number;
  readonly revision: number;
  /** Bytes of values written from the start of this policy until then. */
  readonly bytes: number;
}

/** History is divided into at least so many parts of each bound, so that one part at a time can be dropped. */
const PARTS = 20;

/**
 * Forgets history by age, count and size. It learns of writes by a watch, and
 * has a timer only while there is history to forget: an idle store stays idle.
 * @returns the undo, which stops it
 */
export function startAutoCompaction(options: AutoCompactionOptions): () => void {
  const policy = new AutoCompaction(options);
  return policy.start();
}

class AutoCompaction {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #keepMs: number;
  readonly #keepRevisions: number;
  readonly #keepBytes: number;
  /** Oldest first; the first one is where history begins or has been compacted to. */
  #marks: Mark[] = [];
  #bytes = 0;
  #cancelTimer: (() => void) | undefined;
  #compacting = false;
  #stopped = false;

  constructor(options: AutoCompactionOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#keepMs = options.keepMs ?? 5 * 60_000;
    this.#keepRevisions = options.keepRevisions ?? 50_000;
    this.#keepBytes = options.keepBytes ?? 32 * 2 ** 20;
  }

  start(): () => void {
    const { revision } = this.#store;
    this.#marks.push({ at: this.#clock.monotonic(), revision, bytes: 0 });
    // History from before a restart is as old as this start, as far as anybody can tell.
    if (this.#store.compactedRevision < revision) this.#wake();
    const stopWatch = this.#store.watch(
      { prefix: '' },
      {
        events: (events, newest) => this.#count(events, newest),
        ended: () => this.#stop(),
      },
    );
    return () => {
      stopWatch();
      this.#stop();
    };
  }

  #stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  #count(events: readonly WatchEvent[], revision: number): void {
    for (const { kv } of events) this.#bytes += kv.value.length;
    const now = this.#clock.monotonic();
    const last = this.#marks.at(-1)!;
    const due =
      now - last.at >= this.#keepMs / PARTS || revision - last.revision >= this.#keepRevisions / PARTS || this.#bytes - last.bytes >= this.#keepBytes / PARTS;
    if (due) {
      this.#marks.push({ at: now, revision, bytes: this.#bytes });
      void this.#compact();
    }
    this.#wake();
  }

  /** Sees to it that the policy runs when the next part of history is too old. */
  #wake(): void {
    if (this.#cancelTimer !== undefined || this.#stopped) return;
    this.#cancelTimer = this.#clock.after(this.#keepMs / PARTS, () => {
      this.#cancelTimer = undefined;
      const last = this.#marks.at(-1)!;
      const now = this.#clock.monotonic();
      if (this.#store.revision > last.revision) this.#marks.push({ at: now, revision: this.#store.revision, bytes: this.#bytes });
      void this.#compact();
      if (this.#store.compactedRevision < this.#store.revision) this.#wake();
    });
  }

  /** Compacts to the newest mark that is beyond one of the bounds. Never rejects. */
  async #compact(): Promise<void> {
    if (this.#compacting || this.#stopped) return;
    const now = this.#clock.monotonic();
    const { revision } = this.#store;
    const index = this.#marks.findLastIndex(
      (mark) => now - mark.at >= this.#keepMs || revision - mark.revision >= this.#keepRevisions || this.#bytes - mark.bytes >= this.#keepBytes,
    );
    const mark = this.#marks[index];
    if (mark === undefined || mark.revision <= this.#store.compactedRevision) return;
    this.#compacting = true;
    try {
      await this.#store.compact(mark.revision);
      this.#marks.splice(0, Math.min(index, this.#marks.length - 1));
    } catch (error) {
      // A full disk, or the store is closing: the history stays, and the next part tries again.
      if (!isCode(error, 'unavailable')) {
        this.#logger.warn('the history of the state store could not be compacted', { revision: mark.revision, error: messageOf(error) });
      }
    } finally {
      this.#compacting = false;
    }
  }
}
