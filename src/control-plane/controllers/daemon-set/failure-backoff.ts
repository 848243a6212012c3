const BASE_MS = 1000;
const LONGEST_MS = 15 * 60_000;
const CAPACITY = 10_000;

/** How long to wait before a pod that failed on a node is replaced there: longer each time it follows soon. */
export class FailureBackoff {
  readonly #entries = new Map<string, { delayMs: number; untilMs: number }>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A pod was found failed. @returns milliseconds to wait; 0: it may be replaced now */
  failed(key: string): number {
    const nowMs = this.#now();
    const entry = this.#entries.get(key);
    if (entry !== undefined && nowMs < entry.untilMs) return entry.untilMs - nowMs;
    // One that went well for long starts over.
    const forgiven = entry === undefined || nowMs - entry.untilMs > 2 * LONGEST_MS;
    const delayMs = forgiven ? BASE_MS : Math.min(entry.delayMs * 2, LONGEST_MS);
    this.#entries.delete(key);
    this.#entries.set(key, { delayMs, untilMs: nowMs + delayMs });
    if (this.#entries.size > CAPACITY) this.#entries.delete(this.#entries.keys().next().value!);
    return 0;
  }
}
