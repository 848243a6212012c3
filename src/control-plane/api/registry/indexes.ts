import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { Stored } from './stored.ts';

/** So many indexes a resource keeps; the one that was not asked for the longest goes. */
const MAX_INDEXES = 24;

/** Reads the value that is indexed; undefined: not in the index. */
export type IndexReader = (object: KubeObject) => string | undefined;

interface Index {
  readonly read: IndexReader;
  readonly buckets: Map<string, Map<string, Stored>>;
}

/**
 * Indexes of one resource's objects by label or field, made when a selector
 * first asks, and kept up from then on: a selector of 1 % costs 1 %.
 */
export class Indexes {
  readonly #indexes = new Map<string, Index>();

  /** The objects with that value, by key, unordered. `all` fills an index that is new. */
  lookup(name: string, read: IndexReader, value: string, all: () => Iterable<readonly [string, Stored]>): ReadonlyMap<string, Stored> | undefined {
    let index = this.#indexes.get(name);
    if (index === undefined) {
      index = { read, buckets: new Map() };
      for (const [key, stored] of all()) add(index, key, stored);
      if (this.#indexes.size >= MAX_INDEXES) this.#indexes.delete(this.#indexes.keys().next().value!);
    } else {
      this.#indexes.delete(name);
    }
    this.#indexes.set(name, index);
    return index.buckets.get(value);
  }

  changed(key: string, old: Stored | undefined, now: Stored | undefined): void {
    for (const index of this.#indexes.values()) {
      const before = old === undefined ? undefined : index.read(old.object);
      const after = now === undefined ? undefined : index.read(now.object);
      if (before !== undefined && before !== after) {
        const bucket = index.buckets.get(before);
        bucket?.delete(key);
        if (bucket?.size === 0) index.buckets.delete(before);
      }
      if (after !== undefined) add(index, key, now!, after);
    }
  }
}

function add(index: Index, key: string, stored: Stored, value = index.read(stored.object)): void {
  if (value === undefined) return;
  const bucket = index.buckets.get(value);
  if (bucket === undefined) index.buckets.set(value, new Map([[key, stored]]));
  else bucket.set(key, stored);
}

/** Reads one label. */
export function labelReader(key: string): IndexReader {
  return (object) => {
    const labels = object.metadata?.labels;
    return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  };
}
