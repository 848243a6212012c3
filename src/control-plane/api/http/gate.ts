import { tooManyRequests } from '../errors.ts';

interface Waiting {
  readonly start: () => void;
  readonly refuse: (error: Error) => void;
}

export interface GateLimits {
  /** Requests at work at once, over all users. */
  readonly inFlight: number;
  /** Requests of one user that may wait. */
  readonly queuePerUser: number;
  /** Requests that may wait in all. */
  readonly queueTotal: number;
}

export const DEFAULT_LIMITS: GateLimits = { inFlight: 256, queuePerUser: 1024, queueTotal: 8192 };

/**
 * Fair share: while fewer than the limit are at work, a request starts at once.
 * Beyond, each user has a queue of their own, and the queues take turns, so that
 * a flood delays its sender and nobody else.
 */
export class FairGate {
  readonly #limits: GateLimits;
  /** In the order in which their turn comes. */
  readonly #queues = new Map<string, Waiting[]>();
  #inFlight = 0;
  #waiting = 0;

  constructor(limits: GateLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Runs `task` when it is its turn. It must not throw; what it returns, if anything, settles when the work is done. */
  run(user: string, task: () => void | Promise<void>, refuse: (error: Error) => void): void {
    if (this.#inFlight < this.#limits.inFlight && this.#waiting === 0) {
      this.#start(task);
      return;
    }
    const queue = this.#queues.get(user) ?? [];
    if (queue.length >= this.#limits.queuePerUser || this.#waiting >= this.#limits.queueTotal) {
      refuse(tooManyRequests('too many requests, please try again later', 1));
      return;
    }
    if (queue.length === 0) this.#queues.set(user, queue);
    queue.push({ start: () => this.#start(task), refuse });
    this.#waiting++;
  }

  /** Refuses all that wait: the server stops. */
  close(error: Error): void {
    for (const queue of this.#queues.values()) for (const waiting of queue) waiting.refuse(error);
    this.#queues.clear();
    this.#waiting = 0;
  }

  #start(task: () => void | Promise<void>): void {
    this.#inFlight++;
    const result = task();
    if (result === undefined) this.#done();
    else void result.finally(() => this.#done());
  }

  #done(): void {
    this.#inFlight--;
    while (this.#waiting > 0 && this.#inFlight < this.#limits.inFlight) {
      const [user, queue] = this.#queues.entries().next().value!;
      const next = queue.shift()!;
      this.#waiting--;
      this.#queues.delete(user);
      if (queue.length > 0) this.#queues.set(user, queue); // To the end of the turn.
      next.start();
    }
  }
}
