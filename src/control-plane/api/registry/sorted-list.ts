/** At most so many entries in a chunk; a fuller one is split in two. */
const CHUNK = 256;

interface Chunk<T> {
  /** The list's generation when this chunk was last known to be its alone. */
  generation: number;
  keys: string[];
  values: T[];
}

/** The content of a SortedList at one moment; never changes. */
export class SortedView<T> {
  readonly #chunks: readonly Chunk<T>[];
  readonly size: number;

  constructor(chunks: readonly Chunk<T>[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  /** Values whose key starts with `prefix`, in the order of their keys, from `start` (a whole key) on. `visit` returns false to stop. */
  scan(prefix: string, start: string, visit: (value: T, key: string) => boolean): void {
    const from = start > prefix ? start : prefix;
    for (let c = chunkOf(this.#chunks, from); c < this.#chunks.length; c++) {
      const { keys, values } = this.#chunks[c]!;
      for (let i = keys[0]! >= from ? 0 : lowerBound(keys, from); i < keys.length; i++) {
        const key = keys[i]!;
        if (prefix !== '' && !key.startsWith(prefix)) return;
        if (!visit(values[i]!, key)) return;
      }
    }
  }

  /** All values whose key starts with `prefix`. */
  values(prefix: string): T[] {
    if (prefix === '') {
      const out: T[] = [];
      for (const chunk of this.#chunks) for (const value of chunk.values) out.push(value);
      return out;
    }
    const out: T[] = [];
    this.scan(prefix, prefix, (value) => {
      out.push(value);
      return true;
    });
    return out;
  }
}

/**
 * A map in the order of its keys (UTF-16 code units, as the store's), made of
 * chunks that are copied on write once a view shares them: a view costs one
 * small array, and pins only what changes afterwards.
 */
export class SortedList<T> {
  #chunks: Chunk<T>[] = [];
  #generation = 0;
  #size = 0;
  #view: SortedView<T> | undefined;

  get size(): number {
    return this.#size;
  }

  /** The present content. Calls without a write in between give the same view. */
  view(): SortedView<T> {
    if (this.#view === undefined) {
      this.#generation++;
      this.#view = new SortedView(this.#chunks.slice(), this.#size);
    }
    return this.#view;
  }

  set(key: string, value: T): void {
    this.#view = undefined;
    if (this.#chunks.length === 0) {
      this.#chunks.push({ generation: this.#generation, keys: [key], values: [value] });
      this.#size = 1;
      return;
    }
    const c = Math.min(chunkOf(this.#chunks, key), this.#chunks.length - 1);
    const chunk = this.#own(c);
    const at = lowerBound(chunk.keys, key);
    if (chunk.keys[at] === key) {
      chunk.values[at] = value;
      return;
    }
    chunk.keys.splice(at, 0, key);
    chunk.values.splice(at, 0, value);
    this.#size++;
    if (chunk.keys.length > CHUNK) this.#split(c, chunk, at === chunk.keys.length - 1);
  }

  delete(key: string): void {
    const c = chunkOf(this.#chunks, key);
    if (c >= this.#chunks.length) return;
    const at = lowerBound(this.#chunks[c]!.keys, key);
    if (this.#chunks[c]!.keys[at] !== key) return;
    this.#view = undefined;
    this.#size--;
    const chunk = this.#own(c);
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    if (chunk.keys.length === 0) this.#chunks.splice(c, 1);
  }

  /** Appending in order fills chunks wholly; else a full one is halved. */
  #split(c: number, chunk: Chunk<T>, appended: boolean): void {
    const at = appended ? chunk.keys.length - 1 : chunk.keys.length >> 1;
    this.#chunks.splice(c + 1, 0, { generation: this.#generation, keys: chunk.keys.splice(at), values: chunk.values.splice(at) });
  }

  #own(c: number): Chunk<T> {
    const chunk = this.#chunks[c]!;
    if (chunk.generation === this.#generation) return chunk;
    return (this.#chunks[c] = { generation: this.#generation, keys: chunk.keys.slice(), values: chunk.values.slice() });
  }
}

/** The first chunk whose last key is not below `key`; chunks.length where there is none. */
function chunkOf<T>(chunks: readonly Chunk<T>[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const keys = chunks[middle]!.keys;
    if (keys[keys.length - 1]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
