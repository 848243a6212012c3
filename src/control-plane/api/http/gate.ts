import { tooManyRequests } from '../errors.ts';

interface Waiting {
  readonly start: () => void;
  readonly refuse: (error: Error) => void;
}

/** What one user has at work. */
interface Places {
  taken: number;
}

/** Beyond so many users, those who have nothing at work are forgotten. */
const KEPT_USERS = 256;

export interface GateLimits {
  /** Requests at work at once, over all users. */
  readonly inFlight: number;
  /** Of those, at most so many of one user: who sends bodies drop by drop cannot hold every place. */
  readonly inFlightPerUser: number;
  /** Requests of one user that may wait. */
  readonly queuePerUser: number;
  /** Requests that may wait in all. */
  readonly queueTotal: number;
}

const DEFAULT_LIMITS: GateLimits = { inFlight: 256, inFlightPerUser: 192, queuePerUser: 1024, queueTotal: 8192 };

/**
 * Fair share: while fewer than the limit are at work, a request starts at once.
 * Beyond, each user has a queue of their own, and the queues take turns, so that
 * a flood delays its sender and nobody else.
 */
export class FairGate {
  readonly #limits: GateLimits;
  /** In the order in which their turn comes. */
  readonly #queues = new Map<string, Waiting[]>();
  readonly #ofUser = new Map<string, Places>();
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
    const own = this.#placesOf(user);
    if (this.#inFlight < this.#limits.inFlight && own.taken < this.#limits.inFlightPerUser && (this.#waiting === 0 || !this.#queues.has(user))) {
      this.#start(own, task);
      return;
    }
    const queue = this.#queues.get(user) ?? [];
    if (queue.length >= this.#limits.queuePerUser || this.#waiting >= this.#limits.queueTotal) {
      refuse(tooManyRequests('too many requests, please try again later', 1));
      return;
    }
    if (queue.length === 0) this.#queues.set(user, queue);
    queue.push({ start: () => this.#start(this.#placesOf(user), task), refuse });
    this.#waiting++;
  }

  /** Refuses all that wait: the server stops. */
  close(error: Error): void {
    for (const queue of this.#queues.values()) for (const waiting of queue) waiting.refuse(error);
    this.#queues.clear();
    this.#waiting = 0;
  }

  /** Kept when all are free again: they are as good as nothing, and taken anew at once. */
  #placesOf(user: string): Places {
    let places = this.#ofUser.get(user);
    if (places === undefined) {
      if (this.#ofUser.size >= KEPT_USERS) for (const [name, { taken }] of this.#ofUser) if (taken === 0) this.#ofUser.delete(name);
      this.#ofUser.set(user, (places = { taken: 0 }));
    }
    return places;
  }

  #start(own: Places, task: () => void | Promise<void>): void {
    this.#inFlight++;
    own.taken++;
    const result = task();
    if (result === undefined) this.#done(own);
    else {
      const done = (): void => this.#done(own);
      result.then(done, done);
    }
  }

  #done(own: Places): void {
    this.#inFlight--;
    own.taken--;
    while (this.#waiting > 0 && this.#inFlight < this.#limits.inFlight) {
      const next = this.#next();
      if (next === undefined) return;
      next.start();
    }
  }

  /** The first of the user whose turn it is, and who has places left; that user goes to the end of the turn. */
  #next(): Waiting | undefined {
    for (const [user, queue] of this.#queues) {
      if ((this.#ofUser.get(user)?.taken ?? 0) >= this.#limits.inFlightPerUser) continue;
      const next = queue.shift()!;
      this.#waiting--;
      this.#queues.delete(user);
      if (queue.length > 0) this.#queues.set(user, queue);
      return next;
    }
    return undefined;
  }
}
