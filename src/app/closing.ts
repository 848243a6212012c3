import type { Clock } from '../lib/clock.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { createPhaseTimer, type OnPhase } from './phases.ts';

/** The end of a daemon, part by part: what one part can't do keeps no other from ending, and all of it is told at last. */
export class Closing {
  readonly #what: string;
  readonly #home: string;
  readonly #logger: Logger;
  readonly #time: (name: string, work: () => Promise<void>) => Promise<void>;
  readonly #failures: string[] = [];

  /**
   * @param options.what as messages call it, as in `the platform`
   * @param options.home folder of the instance
   */
  constructor(options: {
    readonly what: string;
    readonly home: string;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly onPhase?: OnPhase | undefined;
  }) {
    this.#what = options.what;
    this.#home = options.home;
    this.#logger = options.logger;
    const timer = createPhaseTimer(options.clock, options.onPhase ?? (() => {}));
    this.#time = (name, work) => timer.time(name, work);
  }

  /** Ends one part, as a phase of its own. A failure is logged, and kept for the end. */
  async step(name: string, work: () => Promise<void>): Promise<void> {
    await this.attempt(name, () => this.#time(name, work));
  }

  /** The same for what is no phase. */
  async attempt(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#logger.error(`a part of ${this.#what} did not stop in good order`, {
        part: name,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      this.#failures.push(`${name}: ${messageOf(error)}`);
    }
  }

  /** @throws LongshoreError `internal` that names every part that failed */
  finish(): void {
    if (this.#failures.length === 0) return;
    throw new LongshoreError('internal', `${this.#what} did not stop in good order: ${this.#failures.join('; ')}`, {
      object: `home ${this.#home}`,
      remedy: 'To take away what it left: longshore down',
    });
  }
}
