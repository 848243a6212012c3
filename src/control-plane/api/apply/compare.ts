import { listElement } from './elements.ts';
import { type FieldSet, LEAF, type OpenFieldSet } from './field-set.ts';
import { wholeOf } from './own.ts';
import type { Shape } from './shape.ts';

type Json = Readonly<Record<string, unknown>>;

/** How one value differs from another. Empty sets have no key. */
export interface Comparison {
  /** Paths that are new or have another value. */
  readonly changed: FieldSet;
  /** Paths that are no longer there. */
  readonly removed: FieldSet;
}

const SAME: Comparison = { changed: LEAF, removed: LEAF };

/** Compares two whole objects. */
export function compare(shape: Shape, before: unknown, after: unknown): Comparison {
  const found = both(shape, before, after);
  return found === undefined ? SAME : { changed: found.changed ?? LEAF, removed: found.removed ?? LEAF };
}

interface Found {
  readonly changed: FieldSet | undefined;
  readonly removed: FieldSet | undefined;
}

const MODIFIED: Found = { changed: LEAF, removed: undefined };

/** Collects the differences of the parts of one value. */
class Parts {
  #changed: OpenFieldSet | undefined;
  #removed: OpenFieldSet | undefined;

  add(element: string, found: Found): void {
    if (found.changed !== undefined) (this.#changed ??= {})[element] = found.changed;
    if (found.removed !== undefined) (this.#removed ??= {})[element] = found.removed;
  }

  get found(): Found | undefined {
    return this.#changed === undefined && this.#removed === undefined ? undefined : { changed: this.#changed, removed: this.#removed };
  }
}

/** One part: `undefined` is what is not there. @param always absent counts as null, which is there and empty */
function part(shape: Shape, before: unknown, after: unknown, always: boolean): Found | undefined {
  if (before === after) return undefined;
  if (always) return both(shape, before ?? null, after ?? null);
  if (before === undefined) return { changed: wholeOf(shape, after), removed: undefined };
  if (after === undefined) return { changed: undefined, removed: wholeOf(shape, before) };
  return both(shape, before, after);
}

/** Two values that are both there. */
function both(shape: Shape, before: unknown, after: unknown): Found | undefined {
  if (before === after) return undefined;
  if (shape.kind === 'leaf' || (isEmpty(before) && isEmpty(after))) return equal(before, after) ? undefined : MODIFIED;
  switch (shape.kind) {
    case 'struct': {
      const parts = new Parts();
      const [l, r] = [(before ?? {}) as Json, (after ?? {}) as Json];
      for (const key in l) {
        const field = shape.fields.get(key);
        if (field === undefined) continue;
        const found = part(field.shape, l[key], r[key], field.always);
        if (found !== undefined) parts.add(field.element, found);
      }
      for (const key in r) {
        if (l[key] !== undefined) continue;
        const field = shape.fields.get(key);
        if (field === undefined) continue;
        const found = part(field.shape, undefined, r[key], field.always);
        if (found !== undefined) parts.add(field.element, found);
      }
      return parts.found;
    }
    case 'map': return maps(shape.element, (before ?? {}) as Json, (after ?? {}) as Json);
    case 'set': case 'list': return lists(shape, (before ?? []) as readonly unknown[], (after ?? []) as readonly unknown[]);
    case 'any': return isMap(before) && isMap(after) ? maps(shape, before, after) : equal(before, after) ? undefined : MODIFIED;
  }
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  for (const _ in value) return false;
  return true;
}

function maps(element: Shape, l: Json, r: Json): Found | undefined {
  const parts = new Parts();
  for (const key in l) {
    const found = part(element, l[key], Object.hasOwn(r, key) ? r[key] : undefined, false);
    if (found !== undefined) parts.add(`f:${key}`, found);
  }
  for (const key in r) if (!Object.hasOwn(l, key)) parts.add(`f:${key}`, { changed: wholeOf(element, r[key]), removed: undefined });
  return parts.found;
}

/** Items are paired by keys or value. One that occurs more than once is compared as a whole, all its occurrences together. */
function lists(shape: Extract<Shape, { kind: 'set' | 'list' }>, l: readonly unknown[], r: readonly unknown[]): Found | undefined {
  const parts = new Parts();
  const element: Shape = shape.kind === 'list' ? shape.element : LEAF_SHAPE;
  const [left, right] = [byElement(shape, l), byElement(shape, r)];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [ls, rs] = [left.get(name) ?? [], right.get(name) ?? []];
    if (ls.length <= 1 && rs.length <= 1) {
      const found = part(element, ls[0], rs[0], false);
      if (found !== undefined) parts.add(name, found);
    } else if (ls.length > 1 && rs.length > 1) {
      if (!equal(ls, rs)) parts.add(name, MODIFIED);
    } else if (ls.length > 1) {
      parts.add(name, { changed: rs.length === 0 ? undefined : wholeOf(element, rs[0]), removed: LEAF });
    } else parts.add(name, { changed: LEAF, removed: ls.length === 0 ? undefined : wholeOf(element, ls[0]) });
  }
  return parts.found;
}

const LEAF_SHAPE: Shape = { kind: 'leaf' };

function byElement(shape: Shape, list: readonly unknown[]): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const item of list) {
    const name = listElement(shape, item);
    const known = found.get(name);
    if (known === undefined) found.set(name, [item]);
    else known.push(item);
  }
  return found;
}

/** Deep equality of JSON values; null and absent members are told apart only where the other has a value. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return typeof a !== typeof b && isNumber(a) && isNumber(b) ? Number(a) === Number(b) : false;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, n) => equal(item, b[n]));
  }
  let count = 0;
  for (const key in a) {
    count++;
    if (!Object.hasOwn(b, key) || !equal((a as Json)[key], (b as Json)[key])) return false;
  }
  for (const _ in b) count--;
  return count === 0;
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}
