import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Store, WatchEvent } from '../../store/store.ts';
import { tooLargeResourceVersion } from './errors.ts';
import { ResourceCache } from './resource-cache.ts';
import { Stored } from './stored.ts';

const ROOT = '/registry/';

/** How long a read waits for a revision that was not reached yet. */
const WAIT_MS = 3000;

interface Waiter {
  readonly revision: number;
  readonly wake: () => void;
}

/** Knows what was just encoded, so that nothing is parsed again. */
export interface Known {
  /** The object that this write put, when it has exactly that revision; forgets it. */
  settle(key: string, revision: number, value: Uint8Array): Stored | undefined;
}

/**
 * One watch of the store feeds all resources' caches. `revision` is the
 * newest revision that they all show.
 */
export class Feed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #stop: () => void;
  #known: Known | undefined;
  #revision: number;
  #waiters: Waiter[] = [];
  #ended: Error | undefined;

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly logger: Logger }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#revision = parts.store.revision;
    this.#stop = parts.store.watch({ prefix: ROOT, fromRevision: this.#revision + 1 }, {
      events: (events, revision) => this.#apply(events, revision),
      ended: (error) => this.#end(error),
    });
  }

  set known(known: Known) {
    this.#known = known;
  }

  get revision(): number {
    return this.#revision;
  }

  /** The cache of the resource whose keys start with `/registry/<id>/`, loaded at first use. */
  cache(id: string): ResourceCache {
    let cache = this.#caches.get(id);
    if (cache === undefined) {
      cache = new ResourceCache(this.#store, id, `${ROOT}${id}/`);
      this.#caches.set(id, cache);
    }
    return cache;
  }

  caches(): IterableIterator<ResourceCache> {
    return this.#caches.values();
  }

  /** Resolves once `revision` is shown. Undefined when that is so already. */
  reached(revision: number): Promise<void> | undefined {
    if (revision <= this.#revision) return undefined;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve) => {
      this.#waiters.push({ revision, wake: resolve });
    });
  }

  /** As `reached`, but gives up after a while. @throws StatusError 504 `Too large resource version` */
  notOlderThan(revision: number): Promise<void> | undefined {
    if (revision <= this.#revision) return undefined;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        revision,
        wake: () => {
          cancel();
          resolve();
        },
      };
      const cancel = this.#clock.after(WAIT_MS, () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(tooLargeResourceVersion(revision, this.#revision));
      });
      this.#waiters.push(waiter);
    });
  }

  #apply(events: readonly WatchEvent[], revision: number): void {
    for (const event of events) {
      const { key, modRevision, value } = event.kv;
      const stored = this.#known?.settle(key, modRevision, value);
      const cache = this.#caches.get(key.slice(ROOT.length, key.indexOf('/', key.indexOf('/', ROOT.length) + 1)));
      if (cache === undefined || modRevision <= cache.loadedAt) continue;
      cache.apply(key.slice(cache.prefix.length), event.type === 'delete' ? undefined : stored ?? Stored.fromBytes(value, modRevision), modRevision);
    }
    this.#revision = Math.max(this.#revision, revision);
    if (this.#waiters.length > 0) this.#wake();
  }

  #wake(): void {
    const due = this.#waiters.filter((waiter) => waiter.revision <= this.#revision);
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of due) waiter.wake();
  }

  #end(error: Error): void {
    this.#ended = error;
    this.#logger.error('the watch of the store ended', { error: error.message });
    for (const cache of this.#caches.values()) for (const watcher of cache.watchers.all()) watcher.end(error);
  }

  close(): void {
    this.#stop();
    for (const cache of this.#caches.values()) for (const watcher of cache.watchers.all()) watcher.end(undefined);
  }
}
