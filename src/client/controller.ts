import type { Clock } from '../lib/clock.ts';
import { isCode, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import type { Informer } from './informer.ts';
import { objectKey } from './object-key.ts';
import { WorkQueue } from './work-queue.ts';

export interface ControllerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Brings one object where it should be, from what is cached now. May run twice; must not rely on what woke it. */
  readonly sync: (key: string) => Promise<void>;
  /** Work begins when all of these have their first list. */
  readonly informers: readonly Pick<Informer, 'synced'>[];
  readonly workers?: number;
  /** Called after keys were lost to a full queue; adds all keys again. */
  readonly resync?: () => void;
  readonly maxDelayMs?: number;
}

/** Failures of a key that are logged as warnings begin with this one: the first few are mostly races that heal by themselves. */
const LOUD_FROM = 4;

/**
 * Ties informers to a queue and a level-triggered `sync`. A failed sync is
 * tried again with growing waits (5 ms to 1000 s); so is one that met a
 * conflict, without noise, for it only says that the cache was behind.
 */
export class Controller {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      process: (key) => this.#process(key),
      workers: options.workers ?? 5,
      ...(options.maxDelayMs !== undefined && { maxDelayMs: options.maxDelayMs }),
      ...(options.resync && { onOverflow: options.resync }),
    });
  }

  get queue(): WorkQueue {
    return this.#queue;
  }

  enqueue(key: string): void {
    this.#queue.add(key);
  }

  enqueueAfter(key: string, ms: number): void {
    this.#queue.addAfter(key, ms);
  }

  /** Every change of an object of `informer` wakes the object itself, or the keys that `keysOf` names for it. */
  watch<T extends KubeObject>(informer: Informer<T>, keysOf?: (object: T) => Iterable<string>): void {
    const wake = (object: T): void => {
      if (!keysOf) this.#queue.add(objectKey(object));
      else for (const key of keysOf(object)) this.#queue.add(key);
    };
    informer.on({
      add: wake,
      update: (old, object) => {
        wake(object);
        if (keysOf) wake(old); // it may have belonged to another before
      },
      delete: wake,
    });
  }

  /** Resolves once work began. */
  async start(): Promise<void> {
    await Promise.all(this.#options.informers.map((informer) => informer.synced));
    if (!this.#stopped) this.#queue.start();
  }

  /** Resolves when no sync runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#queue.stop();
  }

  async #process(key: string): Promise<void> {
    try {
      await this.#options.sync(key);
      this.#queue.forget(key);
    } catch (error) {
      if (this.#stopped) return;
      const failures = this.#queue.failures(key) + 1;
      const quiet = isCode(error, 'conflict') || isCode(error, 'already-exists');
      const fields = { controller: this.name, key, failures, error: messageOf(error) };
      if (quiet && failures < 10) this.#options.logger.debug('sync met a newer state; trying again', fields);
      else if (failures < LOUD_FROM) this.#options.logger.info('sync failed; trying again', fields);
      else this.#options.logger.warn('sync keeps failing', fields);
      this.#queue.addRateLimited(key);
    }
  }
}
