import type { Clock } from '../lib/clock.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Runs for one key at a time; a rejection is the processor's own business and must not happen. */
  readonly process: (key: string) => Promise<void>;
  /** How many keys are worked on at once. */
  readonly workers?: number;
  /** First wait of {@link WorkQueue.addRateLimited}, doubled with each failure of the key. Milliseconds. */
  readonly baseDelayMs?: number;
  readonly maxDelayMs?: number;
  /** Distinct keys that may wait. */
  readonly capacity?: number;
  /** Keys were dropped since the queue was full, and there is room again: add everything anew. */
  readonly onOverflow?: () => void;
}

/** So many keys are begun before other work gets its turn. */
const BURST = 64;

/**
 * A queue of keys for level-triggered work. A key waits at most once; while it
 * is worked on it is not begun a second time, and if it is added meanwhile it
 * runs again afterwards. Adding starts work in a later microtask, so that a
 * burst of changes to one object is one run.
 */
export class WorkQueue {
  readonly #options: Required<WorkQueueOptions>;
  /** In order of arrival. */
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  /** Added while running. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly due: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  #scheduled = false;
  #started = false;
  #stopped = false;
  #overflowed = false;
  #drained: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = { workers: 1, baseDelayMs: 5, maxDelayMs: 1_000_000, capacity: 1_000_000, onOverflow: () => {}, ...options };
  }

  /** Keys that wait, without those in the works or delayed. */
  get length(): number {
    return this.#waiting.size;
  }

  get idle(): boolean {
    return this.#waiting.size === 0 && this.#running.size === 0;
  }

  /** Work begins; what was added before waits until now. */
  start(): void {
    this.#started = true;
    this.#schedule();
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.size >= this.#options.capacity && !this.#waiting.has(key)) {
      this.#overflowed = true;
      return;
    }
    this.#waiting.add(key);
    this.#schedule();
  }

  /** Adds it after `ms`, or sooner when an earlier delay stands. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return;
    if (ms <= 0) return this.add(key);
    const due = this.#options.clock.monotonic() + ms;
    const known = this.#delayed.get(key);
    if (known !== undefined) {
      if (known.due <= due) return;
      known.cancel();
    } else if (this.#delayed.size >= this.#options.capacity) {
      this.#overflowed = true;
      return;
    }
    const cancel = this.#options.clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { due, cancel });
  }

  /** Adds it after a wait that doubles with each call since {@link forget}. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(this.#options.baseDelayMs * 2 ** Math.min(failures, 40), this.#options.maxDelayMs));
  }

  /** It went well: the next failure waits the shortest time again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often it was rate-limited since {@link forget}. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Drops what waits; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || !this.#started || this.#stopped || this.#waiting.size === 0 || this.#running.size >= this.#options.workers) {
      return;
    }
    this.#scheduled = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    this.#scheduled = false;
    let begun = 0;
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.workers || this.#stopped) return;
      if (++begun > BURST) {
        this.#scheduled = true;
        setImmediate(() => this.#pump());
        return;
      }
      this.#waiting.delete(key);
      this.#running.add(key);
      void this.#options.process(key).finally(() => this.#done(key));
    }
    if (this.#overflowed) {
      this.#overflowed = false;
      this.#options.onOverflow();
    }
  }

  #done(key: string): void {
    this.#running.delete(key);
    if (this.#stopped) {
      if (this.#running.size === 0) for (const resolve of this.#drained.splice(0)) resolve();
      return;
    }
    if (this.#again.delete(key)) this.#waiting.add(key);
    this.#schedule();
  }
}
