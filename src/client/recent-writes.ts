import type { Clock } from '../lib/clock.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import type { Informer } from './informer.ts';
import { objectKey } from './object-key.ts';

/** An entry that the informer never catches up with (made and deleted while its watch was away) is dropped after so long. */
const KEPT_MS = 60_000;

/**
 * One's own latest writes, for as long as the informer does not show them: a
 * controller that reads its cache through this never acts twice on a state
 * that it has changed itself.
 */
export class RecentWrites<T extends KubeObject> {
  readonly #byKey = new Map<string, { readonly object: T; readonly atMs: number }>();
  readonly #clock: Clock;

  constructor(informer: Informer<T>, clock: Clock) {
    this.#clock = clock;
    const seen = (object: T): void => {
      const written = this.#byKey.get(objectKey(object));
      if (written !== undefined && !isNewer(written.object, object)) this.#byKey.delete(objectKey(object));
    };
    informer.on({ add: seen, update: (_old, object) => seen(object), delete: seen });
  }

  /** Call with what the API answered to a create or update. */
  note(object: T, cached: T | undefined): void {
    if (cached === undefined || isNewer(object, cached)) this.#byKey.set(objectKey(object), { object, atMs: this.#clock.monotonic() });
  }

  /**
   * What is cached, with what was written since in its place.
   * @param belongs picks, among the objects that were made and are not cached yet, those of this list
   */
  over(cached: Iterable<T>, belongs: (object: T) => boolean): T[] {
    if (this.#byKey.size === 0) return [...cached];
    const list: T[] = [];
    const known = new Set<string>();
    for (const object of cached) {
      const key = objectKey(object);
      known.add(key);
      const written = this.#get(key);
      list.push(written !== undefined && isNewer(written, object) ? written : object);
    }
    for (const key of this.#byKey.keys()) {
      const written = this.#get(key);
      if (written !== undefined && !known.has(key) && belongs(written)) list.push(written);
    }
    return list;
  }

  #get(key: string): T | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return undefined;
    if (this.#clock.monotonic() - entry.atMs <= KEPT_MS) return entry.object;
    this.#byKey.delete(key);
    return undefined;
  }
}

/** Resource versions of one resource can be compared as numbers (KEP-5504). */
function isNewer(a: KubeObject, b: KubeObject): boolean {
  return Number(a.metadata?.resourceVersion ?? 0) > Number(b.metadata?.resourceVersion ?? 0);
}
