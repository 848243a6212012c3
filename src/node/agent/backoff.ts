/** So many entries are kept before old ones are looked for, of things that are gone. */
const MANY = 1000;

/** Back-off of restarts and image pulls: doubles from `firstMs` to `longestMs`, and starts anew after a time of peace. Each failure may say why. */
export class Backoff<Why = undefined> {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #forgetMs: number;
  readonly #entries = new Map<string, { readonly delayMs: number; readonly readyAt: number; readonly why: Why | undefined }>();

  constructor(firstMs: number, longestMs: number, forgetMs = 2 * longestMs) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#forgetMs = forgetMs;
  }

  /** Something failed at `nowMs`. @returns when it may be tried again */
  fail(key: string, nowMs: number, why?: Why): number {
    const before = this.#entries.get(key);
    const fresh = !before || nowMs - before.readyAt > this.#forgetMs;
    const delayMs = fresh ? this.#firstMs : Math.min(this.#longestMs, before.delayMs * 2);
    if (this.#entries.size >= MANY) {
      for (const [old, { readyAt }] of this.#entries) {
        if (nowMs - readyAt > this.#forgetMs) {
          this.#entries.delete(old);
        }
      }
    }
    this.#entries.set(key, { delayMs, readyAt: nowMs + delayMs, why });
    return nowMs + delayMs;
  }

  readyAt(key: string): number | undefined {
    return this.#entries.get(key)?.readyAt;
  }

  /** What the last failure said. */
  why(key: string): Why | undefined {
    return this.#entries.get(key)?.why;
  }

  /** The current delay, in milliseconds; 0 when nothing failed lately. */
  delay(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  clear(key: string): void {
    this.#entries.delete(key);
  }
}
