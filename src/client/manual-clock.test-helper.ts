import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';

/** Time that stands until a test moves it. */
export class ManualClock implements Clock {
  #ms: number;
  #sequence = 0;
  readonly #timers = new Map<number, { readonly due: number; readonly fn: () => void }>();

  constructor(startMs = Date.UTC(2025, 0, 1)) {
    this.#ms = startMs;
  }

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  after(ms: number, fn: () => void): () => void {
    const id = ++this.#sequence;
    this.#timers.set(id, { due: this.#ms + Math.max(ms, 0), fn });
    return () => void this.#timers.delete(id);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const cancel = this.after(ms, resolve);
      signal?.addEventListener('abort', () => {
        cancel();
        reject(signal.reason as Error);
      }, { once: true });
    });
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer is due, in milliseconds from now; undefined when there is none. */
  get nextIn(): number | undefined {
    let due: number | undefined;
    for (const timer of this.#timers.values()) if (due === undefined || timer.due < due) due = timer.due;
    return due === undefined ? undefined : due - this.#ms;
  }

  /** Moves time, running each timer at its moment, and lets what it woke settle. */
  async advance(ms: number): Promise<void> {
    const end = this.#ms + ms;
    await settle();
    for (;;) {
      let next: number | undefined;
      for (const [id, timer] of this.#timers) {
        if (timer.due <= end && (next === undefined || timer.due < this.#timers.get(next)!.due)) next = id;
      }
      if (next === undefined) break;
      const { due, fn } = this.#timers.get(next)!;
      this.#timers.delete(next);
      this.#ms = Math.max(this.#ms, due);
      fn();
      await settle();
    }
    this.#ms = end;
    await settle();
  }
}

/** Lets chains of promises run to their end. */
export async function settle(rounds = 12): Promise<void> {
  for (let n = 0; n < rounds; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** xorshift32: the same seed gives the same run. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761) >>> 0 || 1;
  }

  bytes(n: number): Buffer {
    const out = Buffer.alloc(n);
    for (let i = 0; i < n; i++) out[i] = this.#next() >>> 24;
    return out;
  }

  /** A whole number from 0 up to, without, `below`. */
  below(below: number): number {
    return this.#next() % below;
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return (this.#state = x);
  }
}
