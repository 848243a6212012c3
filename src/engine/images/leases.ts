import type { Clock } from '../../lib/clock.ts';
import type { Undo } from '../../lib/undo.ts';

/** How long a blob without an owner is kept after it was written: an upload's blobs come before their manifest. */
const GRACE_MS = 60 * 60 * 1000;

/** A set of digests and chain ids that collection must leave alone. */
export interface Lease {
  /** Before looking whether it is there: from now on it stays. */
  add(...names: readonly string[]): void;
  end: Undo;
}

/** What must not be collected although no image refers to it. Lives in memory: after a restart the grace time counts from the file's own time. */
export class Leases {
  readonly #clock: Clock;
  readonly #held = new Map<string, number>();
  /** Digests that were just written, and until when they are kept. */
  readonly #fresh = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(...names: readonly string[]): Lease {
    const mine = new Set<string>();
    let ended = false;
    const add = (...more: readonly string[]): void => {
      if (ended) return;
      for (const name of more) {
        if (mine.has(name)) continue;
        mine.add(name);
        this.#held.set(name, (this.#held.get(name) ?? 0) + 1);
      }
    };
    add(...names);
    return {
      add,
      end: () => {
        if (ended) return;
        ended = true;
        for (const name of mine) {
          const left = this.#held.get(name)! - 1;
          if (left === 0) this.#held.delete(name);
          else this.#held.set(name, left);
        }
      },
    };
  }

  /** A blob was written and nothing refers to it yet. */
  written(digest: string): void {
    this.#fresh.set(digest, this.#clock.now() + GRACE_MS);
    if (this.#fresh.size > 10_000) this.#expire();
  }

  /** Something refers to it now: without that it may go at once. */
  owned(digests: Iterable<string>): void {
    for (const digest of digests) this.#fresh.delete(digest);
  }

  holds(name: string): boolean {
    return this.#held.has(name) || (this.#fresh.get(name) ?? 0) > this.#clock.now();
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [digest, until] of this.#fresh) if (until <= now) this.#fresh.delete(digest);
  }
}
