import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import type { Compare, Op, Store } from '../../store/store.ts';
import { failure } from '../errors.ts';
import type { Feed, Known } from './feed.ts';
import { deepFreeze } from './freeze.ts';
import { layOut } from './layout.ts';
import type { ResourceCache } from './resource-cache.ts';
import { asBuffer, Stored } from './stored.ts';

/** One key of a transaction. */
export interface Write {
  readonly cache: ResourceCache;
  /** Relative to the cache's prefix. */
  readonly key: string;
  /** The revision that the key has now; 0: it does not exist. */
  readonly expected: number;
  /** What is put; undefined deletes. Carries apiVersion and kind. */
  readonly object: KubeObject | undefined;
}

/** The largest object, in bytes of JSON: as large as the largest body, so that patches can't grow one without end. */
const MAX_OBJECT = 3 * 1024 * 1024;

function tooLarge(bytes: number): StatusError {
  return new StatusError(
    failure(413, 'RequestEntityTooLarge', `Request entity is too large: the object would have ${bytes} bytes, the limit is ${MAX_OBJECT}`),
  );
}

/** What is decided and not yet durable. */
interface Pending {
  readonly revision: number;
  /** undefined: deleted. */
  readonly stored: Stored | undefined;
  /** The one before it that is not durable either. */
  previous: Pending | undefined;
  /** True once it is durable, false when it failed. Never rejects. */
  readonly done: Promise<boolean>;
}

/** The newest decided state of a key. */
export interface Latest {
  readonly stored: Stored | undefined;
  /** Of the decision that this is from, when that is not durable yet. */
  readonly pending: Promise<boolean> | undefined;
}

/**
 * Turns decisions into transactions.
 *
 * The store decides in the order of calls and syncs later; this keeps what is
 * decided and not yet durable, so that the next write of the same object
 * builds on it at once instead of waiting for the disk, and a whole chain of
 * them shares one sync. Since this process is the only writer, it also knows
 * the revision that a transaction will get, and encodes it into the object
 * before. Should that ever prove wrong (a write failed), nothing is lost: the
 * compare fails, and the number is spliced when the event comes back.
 *
 * With a store that others write to (`shared`), nothing is built on what is
 * not durable, since their revision could be taken for ours.
 */
export class Committer implements Known {
  readonly #store: Store;
  readonly #feed: Feed;
  readonly #shared: boolean;
  readonly #freeze: boolean;
  readonly #pending = new Map<string, Pending>();
  #foretold = 0;
  #inflight = 0;

  constructor(parts: { readonly store: Store; readonly feed: Feed; readonly shared: boolean; readonly freeze: boolean }) {
    this.#store = parts.store;
    this.#feed = parts.feed;
    this.#shared = parts.shared;
    this.#freeze = parts.freeze;
    parts.feed.known = this;
  }

  get shared(): boolean {
    return this.#shared;
  }

  latest(cache: ResourceCache, key: string): Latest {
    if (this.#pending.size > 0) {
      const pending = this.#pending.get(cache.prefix + key);
      if (pending !== undefined) return { stored: pending.stored, pending: pending.done };
    }
    return { stored: cache.get(key), pending: undefined };
  }

  /**
   * Decides one transaction. Synchronous up to the store's decision.
   * @throws StatusError 413 at once; what the store rejects with
   * @returns the new state of each put, in order (for a delete: undefined), once it is durable and shown by the caches; undefined when a compare failed
   */
  commit(writes: readonly Write[]): Promise<{ readonly revision: number; readonly stored: readonly (Stored | undefined)[] } | undefined> {
    if (this.#inflight === 0 || this.#foretold < this.#store.revision) this.#foretold = this.#store.revision;
    const foretold = this.#foretold + 1;
    const compare: Compare[] = [];
    const success: Op[] = [];
    const stored: (Stored | undefined)[] = [];
    for (const { cache, key, expected, object } of writes) {
      const full = cache.prefix + key;
      compare.push({ key: full, modRevision: expected });
      if (object === undefined) {
        success.push({ type: 'delete', key: full });
        stored.push(undefined);
      } else {
        const laid = layOut(object, object.apiVersion!, object.kind!, foretold);
        const next = Stored.of(this.#freeze ? deepFreeze(laid) : laid, foretold);
        if (next.json().length > MAX_OBJECT) throw tooLarge(next.json().length);
        success.push({ type: 'put', key: full, value: next.json() });
        stored.push(next);
      }
    }
    this.#foretold = foretold;
    this.#inflight++;
    const { promise: done, resolve } = Promise.withResolvers<boolean>();
    for (const [at, { key }] of success.entries()) {
      this.#pending.set(key, { revision: foretold, stored: stored[at], previous: this.#pending.get(key), done });
    }
    return this.#finish(success, this.#store.txn({ compare, success }), foretold, stored, resolve);
  }

  async #finish(
    ops: readonly Op[], deciding: Promise<{ readonly succeeded: boolean; readonly revision: number }>, foretold: number,
    stored: readonly (Stored | undefined)[], resolve: (durable: boolean) => void,
  ): Promise<{ readonly revision: number; readonly stored: readonly (Stored | undefined)[] } | undefined> {
    let durable = false;
    try {
      const result = await deciding;
      const showing = this.#feed.reached(result.revision);
      if (showing !== undefined) await showing;
      if (!result.succeeded) return undefined;
      durable = true;
      if (result.revision === foretold) return { revision: foretold, stored };
      return { revision: result.revision, stored: stored.map((entry) => entry?.at(result.revision)) };
    } finally {
      this.#inflight--;
      for (const { key } of ops) this.#forget(key, foretold);
      resolve(durable);
    }
  }

  /** The feed met this revision of the key: what we encoded for it, when the bytes are the same. */
  settle(key: string, revision: number, value: Uint8Array): Stored | undefined {
    if (this.#pending.size === 0) return undefined;
    for (let pending = this.#pending.get(key); pending !== undefined; pending = pending.previous) {
      if (pending.revision !== revision) continue;
      const { stored } = pending;
      this.#forget(key, revision);
      if (stored === undefined) return undefined;
      const bytes = stored.json();
      return bytes === value || bytes.equals(asBuffer(value)) ? stored : undefined;
    }
    return undefined;
  }

  /** Drops that decision and all before it. */
  #forget(key: string, revision: number): void {
    const newest = this.#pending.get(key);
    if (newest === undefined) return;
    if (newest.revision === revision) {
      this.#pending.delete(key);
      return;
    }
    for (let later = newest; later.previous !== undefined; later = later.previous) {
      if (later.previous.revision === revision) {
        later.previous = undefined;
        return;
      }
    }
  }
}
