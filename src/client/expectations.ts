import type { Clock } from '../lib/clock.ts';

/** After this long an unfulfilled expectation is given up: the event got lost, or never came. */
const TIMEOUT_MS = 5 * 60_000;

interface Expectation {
  creations: number;
  readonly deletions: Set<string>;
  readonly since: number;
}

/**
 * What a controller has asked for and not yet seen in its cache, by key of the
 * owner. While something is expected the cache is known to be behind, and the
 * owner's replicas are not counted.
 */
export class Expectations {
  readonly #byOwner = new Map<string, Expectation>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call before the requests go out. Replaces what was expected. @param deletions keys or uids of what is deleted */
  expect(owner: string, creations: number, deletions: Iterable<string> = []): void {
    this.#byOwner.set(owner, { creations, deletions: new Set(deletions), since: this.#clock.monotonic() });
  }

  /** A creation was seen, or failed. */
  created(owner: string): void {
    const expectation = this.#byOwner.get(owner);
    if (expectation && expectation.creations > 0) expectation.creations--;
  }

  /** A deletion was seen, or failed. */
  deleted(owner: string, id: string): void {
    this.#byOwner.get(owner)?.deletions.delete(id);
  }

  /** True when the cache shows all that was asked for, or waiting for it has become pointless. */
  satisfied(owner: string): boolean {
    const expectation = this.#byOwner.get(owner);
    if (expectation === undefined) return true;
    if (expectation.creations === 0 && expectation.deletions.size === 0) return true;
    return this.#clock.monotonic() - expectation.since > TIMEOUT_MS;
  }

  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }
}
