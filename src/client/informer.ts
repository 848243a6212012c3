import type { Clock } from '../lib/clock.ts';
import { isCode, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { randomInt, type Random } from '../lib/random.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import { Backoff } from './backoff.ts';
import { objectKey } from './object-key.ts';
import { ObjectStore, type IndexFunction, type Lister } from './object-store.ts';
import { pathOf } from './resources.ts';
import type { ResourceRef, Transport, WatchEventType } from './transport.ts';

/**
 * Called synchronously as changes arrive, after the cache holds them. A
 * handler only notes what is to be done (adds a key to a queue): it must be
 * quick and must not change the objects.
 */
export interface InformerHandlers<T> {
  add?(object: T): void;
  update?(old: T, object: T): void;
  /** The last state known; it may be older than what was deleted, when the watch was away. */
  delete?(object: T): void;
}

export interface InformerScope {
  /** One namespace; all where it is left out. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface InformerDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A watch is renewed after this long, plus up to as much again, so that servers can spread load. */
const WATCH_SECONDS = 300;
/** A watch that ended sooner than this counts as a failure for the back-off. */
const SHORT_WATCH_MS = 1000;

/**
 * A local copy of one resource (or a selected part of it), kept current by
 * list and watch: resumes from the last resourceVersion it saw, lists again
 * when that is too old (410), and backs off with jitter when the server fails.
 */
export class Informer<T extends KubeObject = KubeObject> {
  readonly resource: ResourceRef;
  readonly scope: InformerScope;
  /** Resolves when the first list is in the cache and its handlers have run. Never rejects. */
  readonly synced: Promise<void>;
  readonly #deps: InformerDependencies;
  readonly #store = new ObjectStore<T>();
  readonly #handlers = new Set<InformerHandlers<T>>();
  readonly #backoff: Backoff;
  readonly #abort = new AbortController();
  #resolveSynced: () => void = () => {};
  #hasSynced = false;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #version: string | undefined;
  #stopWatch: () => void = () => {};
  #cancelTimer: () => void = () => {};

  constructor(resource: ResourceRef, scope: InformerScope, deps: InformerDependencies) {
    this.resource = resource;
    this.scope = scope;
    this.#deps = { ...deps, logger: deps.logger.child({ informer: pathOf(resource, scope.namespace) }) };
    this.#backoff = new Backoff(deps.random, { baseMs: 200, maxMs: 30_000 });
    this.synced = new Promise((resolve) => (this.#resolveSynced = resolve));
  }

  get store(): Lister<T> {
    return this.#store;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The newest resourceVersion seen; undefined before the first list. */
  get resourceVersion(): string | undefined {
    return this.#version;
  }

  /** Adds handlers; what is cached already is told to them as added, at once. Returns the undo. */
  on(handlers: InformerHandlers<T>): () => void {
    this.#handlers.add(handlers);
    if (handlers.add) for (const object of this.#store.values()) this.#guard(() => handlers.add!(object));
    return () => void this.#handlers.delete(handlers);
  }

  /** See {@link ObjectStore.addIndex}. */
  addIndex(name: string, of: IndexFunction<T>): void {
    this.#store.addIndex(name, of);
  }

  /** Begins to list and watch. May be called again. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    void this.#list();
  }

  /** Ends for good; the cache stays as it is and no handler is called again. */
  stop(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#abort.abort();
    this.#cancelTimer();
    this.#stopWatch();
    this.#handlers.clear();
  }

  async #list(): Promise<void> {
    const { labelSelector, fieldSelector, namespace } = this.scope;
    try {
      const list = await this.#deps.transport.list<T>(this.resource, namespace, {
        signal: this.#abort.signal,
        ...(labelSelector !== undefined && { labelSelector }),
        ...(fieldSelector !== undefined && { fieldSelector }),
      });
      if (this.#state !== 'running') return;
      this.#replace(list.items);
      this.#version = list.metadata.resourceVersion;
    } catch (error) {
      if (this.#state === 'running') this.#retry('list', error, () => void this.#list());
      return;
    }
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#resolveSynced();
    }
    this.#watch();
  }

  #watch(): void {
    const { labelSelector, fieldSelector, namespace } = this.scope;
    const started = this.#deps.clock.monotonic();
    let over = false;
    const stop = this.#deps.transport.watch<T>(this.resource, namespace, {
      ...(this.#version !== undefined && { resourceVersion: this.#version }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
      allowWatchBookmarks: true,
      timeoutSeconds: WATCH_SECONDS + randomInt(this.#deps.random, WATCH_SECONDS),
    }, {
      event: (type, object) => {
        if (!over && this.#state === 'running') this.#event(type, object);
      },
      ended: (error) => {
        if (over || this.#state !== 'running') return;
        over = true;
        this.#watchEnded(error, this.#deps.clock.monotonic() - started);
      },
    });
    if (over) return;
    this.#stopWatch = () => {
      over = true;
      stop();
    };
    if (this.#state !== 'running') this.#stopWatch(); // a handler stopped us while the watch was being opened
  }

  #watchEnded(error: Error | undefined, lastedMs: number): void {
    if (lastedMs >= SHORT_WATCH_MS) this.#backoff.reset();
    if (isCode(error, 'gone')) {
      this.#deps.logger.debug('the watch fell behind what the server keeps; listing again', { version: this.#version });
      this.#version = undefined;
      this.#later(lastedMs >= SHORT_WATCH_MS ? 0 : this.#backoff.next(), () => void this.#list());
    } else if (error === undefined && lastedMs >= SHORT_WATCH_MS) this.#later(0, () => this.#watch());
    else this.#retry('watch', error ?? new Error('the server closed the watch at once'), () => this.#watch());
  }

  #retry(what: string, error: unknown, again: () => void): void {
    const waitMs = this.#backoff.next();
    this.#deps.logger[this.#hasSynced ? 'debug' : 'info'](`${what} failed; trying again`, { error: messageOf(error), waitMs });
    this.#later(waitMs, again);
  }

  #later(ms: number, fn: () => void): void {
    this.#cancelTimer = this.#deps.clock.after(ms, () => {
      if (this.#state === 'running') fn();
    });
  }

  #event(type: WatchEventType, object: T): void {
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    if (type === 'BOOKMARK') return;
    const key = objectKey(object);
    if (type === 'DELETED') this.#drop(key, object);
    else this.#put(key, object);
  }

  /** What a new list lacks was deleted while nobody looked. */
  #replace(items: readonly T[]): void {
    const keys = new Set<string>();
    for (const item of items) {
      const key = objectKey(item);
      keys.add(key);
      const known = this.#store.get(key);
      if (known === undefined || known.metadata?.resourceVersion !== item.metadata?.resourceVersion) this.#put(key, item);
    }
    for (const key of this.#store.keys()) if (!keys.has(key)) this.#drop(key, this.#store.get(key)!);
  }

  #put(key: string, object: T): void {
    const known = this.#store.get(key);
    // Another object of the same name: whoever reads the events must see the first one go.
    if (known !== undefined && known.metadata?.uid !== object.metadata?.uid) this.#drop(key, known);
    const before = this.#store.set(key, object);
    for (const handlers of this.#handlers) {
      if (before === undefined) {
        if (handlers.add) this.#guard(() => handlers.add!(object));
      } else if (handlers.update) this.#guard(() => handlers.update!(before, object));
    }
  }

  #drop(key: string, last: T): void {
    if (this.#store.delete(key) === undefined) return;
    for (const handlers of this.#handlers) if (handlers.delete) this.#guard(() => handlers.delete!(last));
  }

  /** One handler that throws must not keep the others, or the cache, from the change. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#deps.logger.error('a handler failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}
