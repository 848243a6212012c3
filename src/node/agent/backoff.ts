/** Back-off of restarts and image pulls: doubles from `firstMs` to `longestMs`, and starts anew after a time of peace. */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #forgetMs: number;
  readonly #entries = new Map<string, { delayMs: number; readyAt: number }>();

  constructor(firstMs: number, longestMs: number, forgetMs = 2 * longestMs) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#forgetMs = forgetMs;
  }

  /** Something failed at `nowMs`. @returns when it may be tried again */
  fail(key: string, nowMs: number): number {
    const before = this.#entries.get(key);
    const fresh = !before || nowMs - before.readyAt > this.#forgetMs;
    const delayMs = fresh ? this.#firstMs : Math.min(this.#longestMs, before.delayMs * 2);
    this.#entries.set(key, { delayMs, readyAt: nowMs + delayMs });
    return nowMs + delayMs;
  }

  readyAt(key: string): number | undefined {
    return this.#entries.get(key)?.readyAt;
  }

  /** The current delay, in milliseconds; 0 when nothing failed lately. */
  delay(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  clear(key: string): void {
    this.#entries.delete(key);
  }
}
