import { LongshoreError } from '../../lib/errors.ts';

/** Lets at most `width` tasks run at a time; the others wait in order, at most `bound` of them. */
export class Gate {
  #width: number;
  #bound: number;
  #running = 0;
  #waiting: (() => void)[] = [];
  #head = 0;

  constructor(width: number, bound: number) {
    this.#width = width;
    this.#bound = bound;
  }

  /** @throws `exhausted` when too many wait already */
  async enter<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#width) {
      if (this.#waiting.length - this.#head >= this.#bound) throw new LongshoreError('exhausted', 'too many host operations are waiting');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  /** Hands the place to the next, so that nobody can slip in between. */
  #leave(): void {
    const next = this.#waiting[this.#head];
    if (!next) {
      this.#running--;
      return;
    }
    this.#head++;
    if (this.#head === this.#waiting.length || (this.#head > 1024 && this.#head * 2 > this.#waiting.length)) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    next();
  }
}
