import type { KubeObject } from '../types/kubernetes/meta.ts';

/** The values under which an object is found; undefined or an empty array leaves it out. */
export type IndexFunction<T> = (object: T) => string | readonly string[] | undefined;

interface Index<T> {
  readonly of: IndexFunction<T>;
  readonly buckets: Map<string, Map<string, T>>;
}

/** What others see of an informer's cache. Objects are shared: copy what you change. */
export interface Lister<T> {
  /** @param key `namespace/name`, or `name` */
  get(key: string): T | undefined;
  readonly size: number;
  /** All objects, in no particular order, without a copy. */
  values(): IterableIterator<T>;
  keys(): IterableIterator<string>;
  /** What lies in one namespace. */
  inNamespace(namespace: string): Iterable<T>;
  /** What the index function `index` filed under `value`. @throws RangeError when there is no such index */
  byIndex(index: string, value: string): Iterable<T>;
  countByIndex(index: string, value: string): number;
}

const NAMESPACE = 'namespace';
const NOTHING: readonly never[] = [];

/** Objects by key with secondary indexes, kept up to date at each change. */
export class ObjectStore<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Index<T>>();

  constructor() {
    this.addIndex(NAMESPACE, (object) => object.metadata?.namespace);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  inNamespace(namespace: string): Iterable<T> {
    return this.byIndex(NAMESPACE, namespace);
  }

  byIndex(index: string, value: string): Iterable<T> {
    return this.#bucket(index, value)?.values() ?? NOTHING;
  }

  countByIndex(index: string, value: string): number {
    return this.#bucket(index, value)?.size ?? 0;
  }

  /** Files what is here and what comes under `of`. The same name with the same meaning may be added again. */
  addIndex(name: string, of: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { of, buckets: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) file(index, key, object);
  }

  /** @returns what was there before */
  set(key: string, object: T): T | undefined {
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      if (before !== undefined) refile(index, key, before, object);
      else file(index, key, object);
    }
    return before;
  }

  /** @returns what was there before */
  delete(key: string): T | undefined {
    const before = this.#objects.get(key);
    if (before === undefined) return undefined;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) unfile(index, key, before);
    return before;
  }

  #bucket(name: string, value: string): Map<string, T> | undefined {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`no index is called ${name}`);
    return index.buckets.get(value);
  }
}

function put<T>(index: Index<T>, value: string, key: string, object: T): void {
  const bucket = index.buckets.get(value);
  if (bucket === undefined) index.buckets.set(value, new Map([[key, object]]));
  else bucket.set(key, object);
}

function take<T>(index: Index<T>, value: string, key: string): void {
  const bucket = index.buckets.get(value);
  if (bucket === undefined) return;
  bucket.delete(key);
  if (bucket.size === 0) index.buckets.delete(value);
}

function file<T>(index: Index<T>, key: string, object: T): void {
  const values = index.of(object);
  if (values === undefined) return;
  if (typeof values === 'string') put(index, values, key, object);
  else for (const value of values) put(index, value, key, object);
}

function unfile<T>(index: Index<T>, key: string, object: T): void {
  const values = index.of(object);
  if (values === undefined) return;
  if (typeof values === 'string') take(index, values, key);
  else for (const value of values) take(index, value, key);
}

/** Most changes keep an object where it is filed: then only the entry is replaced. */
function refile<T>(index: Index<T>, key: string, before: T, object: T): void {
  const from = index.of(before);
  const to = index.of(object);
  if (typeof from === 'string' && from === to) return put(index, from, key, object);
  if (from !== undefined) for (const value of typeof from === 'string' ? [from] : from) take(index, value, key);
  if (to !== undefined) for (const value of typeof to === 'string' ? [to] : to) put(index, value, key, object);
}
