import { randomInt, type Random } from '../lib/random.ts';

export interface BackoffOptions {
  /** Milliseconds before the first retry. */
  readonly baseMs: number;
  readonly maxMs: number;
  readonly factor?: number;
  /** Up to this share is added at random: 0.5 draws from 1 to 1.5 times. */
  readonly jitter?: number;
}

/** Growing waits with jitter, for one thing that is tried again and again. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  readonly #random: Random;
  #step = 0;

  constructor(random: Random, options: BackoffOptions) {
    this.#random = random;
    this.#options = { factor: 2, jitter: 0.5, ...options };
  }

  /** The wait before the next try, in milliseconds. */
  next(): number {
    const { baseMs, maxMs, factor, jitter } = this.#options;
    const wait = Math.min(baseMs * factor ** this.#step, maxMs);
    if (wait < maxMs) this.#step++;
    return wait + randomInt(this.#random, Math.floor(wait * jitter) + 1);
  }

  /** It worked: start over. */
  reset(): void {
    this.#step = 0;
  }
}
