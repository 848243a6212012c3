import { listElement } from './elements.ts';
import { type FieldSet, isEmpty, isMember, LEAF, type OpenFieldSet } from './field-set.ts';
import type { Shape } from './shape.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Lays a configuration over an object: its values win, parts that it does not name stay. Items of lists keep the live order as far as
 * the configuration's own order allows it.
 */
export function merge(shape: Shape, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined || live === null || applied === null) return applied;
  switch (shape.kind) {
    case 'leaf': return applied;
    case 'struct': return mergeMaps(live as Json, applied as Json, (key) => shape.fields.get(key)?.shape);
    case 'map': return mergeMaps(live as Json, applied as Json, () => shape.element);
    case 'any': return isMap(live) && isMap(applied) ? mergeMaps(live, applied, () => shape) : applied;
    case 'set': case 'list': return mergeLists(shape, live as readonly unknown[], applied as readonly unknown[]);
  }
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function put(out: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true });
  else out[key] = value;
}

function mergeMaps(live: Json, applied: Json, shapeOf: (key: string) => Shape | undefined): Json {
  const out: Record<string, unknown> = {};
  for (const key in live) put(out, key, live[key]);
  for (const key in applied) {
    const shape = shapeOf(key);
    // A field that this endpoint cannot write, or nobody can own, stays as it is.
    if (shape !== undefined) put(out, key, merge(shape, Object.hasOwn(live, key) ? live[key] : undefined, applied[key]));
  }
  return out;
}

function mergeLists(shape: Extract<Shape, { kind: 'set' | 'list' }>, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const left = live.map((item) => listElement(shape, item));
  const right = applied.map((item) => listElement(shape, item));
  const inLeft = index(left, live);
  const inRight = index(right, applied);
  const element: Shape = shape.kind === 'list' ? shape.element : { kind: 'leaf' };
  const shared = right.filter((name) => inLeft.has(name));
  let next = shared.shift();
  const out: unknown[] = [];
  const done = new Set<string>();
  const take = (name: string): void => {
    done.add(name);
    out.push(merge(element, inLeft.get(name), inRight.get(name)));
  };
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    if (l < left.length && r < right.length) {
      const name = left[l]!;
      if (name === right[r]) {
        take(name);
        l++;
        r++;
        next = shared.shift();
        continue;
      }
      // It comes later in the configuration: its place is decided there.
      if (inRight.has(name) && next !== undefined && next !== name) {
        l++;
        continue;
      }
    }
    if (l < left.length) {
      const name = left[l]!;
      if (!inRight.has(name)) {
        out.push(live[l]);
        l++;
        continue;
      }
      if (done.has(name)) l++;
    }
    if (r < right.length) {
      const name = right[r]!;
      take(name);
      r++;
      if (next === name) next = shared.shift();
    }
  }
  return out;
}

/** The item of each name; undefined where a name occurs twice, so that what is applied replaces them all. */
function index(names: readonly string[], items: readonly unknown[]): Map<string, unknown> {
  const found = new Map<string, unknown>();
  names.forEach((name, n) => found.set(name, found.has(name) ? undefined : items[n]));
  return found;
}

/** The value without the paths of a set. undefined when nothing of it is left. */
export function remove(shape: Shape, value: unknown, gone: FieldSet): unknown {
  if (value === null || typeof value !== 'object' || shape.kind === 'leaf' || isEmpty(gone)) return value;
  if (Array.isArray(value)) {
    if (shape.kind !== 'set' && shape.kind !== 'list') return value;
    const left: unknown[] = [];
    for (const item of value as unknown[]) {
      const below = gone[listElement(shape, item)];
      if (below === undefined) left.push(item);
      else if (!isMember(below)) left.push(shape.kind === 'list' ? remove(shape.element, item, below) ?? {} : item);
    }
    return left.length === 0 ? undefined : left;
  }
  const out: Record<string, unknown> = {};
  let size = 0;
  for (const key in value) {
    const below = gone[`f:${key}`];
    if (below !== undefined && isMember(below)) continue;
    let item = (value as Json)[key];
    const inner = shape.kind === 'struct' ? shape.fields.get(key)?.shape : shape.kind === 'map' ? shape.element : shape;
    if (below !== undefined && inner !== undefined) item = remove(inner, item, below);
    if (item === undefined) continue;
    put(out, key, item);
    size++;
  }
  return size === 0 ? undefined : out;
}

/** The set with every field of a struct that leads to a member being one itself. Needed before fields are removed: else empty shells would stay. */
export function withNamedFields(shape: Shape | undefined, set: FieldSet): FieldSet {
  if (isEmpty(set)) return set;
  const out: OpenFieldSet = {};
  for (const key in set) {
    if (key === '.') {
      out[key] = LEAF;
      continue;
    }
    const child = set[key]!;
    const name = key.slice(2);
    const field = shape?.kind === 'struct' && key.startsWith('f:') ? shape.fields.get(name) : undefined;
    const inner = field?.shape ?? (shape?.kind === 'map' || shape?.kind === 'list' ? shape.element : shape?.kind === 'any' ? shape : undefined);
    const below = withNamedFields(inner, child);
    out[key] = field === undefined || isMember(below) ? below : { '.': LEAF, ...below };
  }
  return out;
}
