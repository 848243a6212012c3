import { listElement, valueElement } from './elements.ts';
import { type FieldSet, LEAF, type OpenFieldSet } from './field-set.ts';
import type { Shape } from './shape.ts';

type Json = Readonly<Record<string, unknown>>;

function emptyMap(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== 'object' || Array.isArray(value)) return false;
  for (const _ in value) return false;
  return true;
}

/** The set without its own path: only what is below. */
function closed(out: OpenFieldSet): FieldSet | undefined {
  for (const _ in out) return out;
  return undefined;
}

/** The same with the path at which it hangs. */
function withSelf(below: FieldSet | undefined): FieldSet {
  return below === undefined || below === LEAF ? LEAF : { '.': LEAF, ...below };
}

/**
 * The fields that a configuration speaks of, and that whoever applies it owns. A struct is owned through its fields, a map through its
 * keys; an empty one, or null, by itself. undefined: none.
 */
export function ownedBy(shape: Shape, value: unknown): FieldSet | undefined {
  switch (shape.kind) {
    case 'leaf': return LEAF;
    case 'struct': {
      const out: OpenFieldSet = {};
      for (const key in value as Json) {
        const field = shape.fields.get(key);
        if (field === undefined) continue;
        const item = (value as Json)[key];
        if (item === undefined) continue;
        const below = emptyMap(item) ? LEAF : ownedBy(field.shape, item);
        if (below !== undefined) out[field.element] = below;
      }
      return closed(out);
    }
    case 'map': {
      const out: OpenFieldSet = {};
      for (const key in value as Json) {
        out[`f:${key}`] = withSelf(emptyMap((value as Json)[key]) ? LEAF : ownedBy(shape.element, (value as Json)[key]));
      }
      return closed(out);
    }
    case 'set': {
      const out: OpenFieldSet = {};
      for (const item of value as readonly unknown[]) out[valueElement(item)] = LEAF;
      return closed(out);
    }
    case 'list': {
      const out: OpenFieldSet = {};
      for (const item of value as readonly unknown[]) out[listElement(shape, item)] = withSelf(ownedBy(shape.element, item));
      return closed(out);
    }
    case 'any': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return LEAF;
      const out: OpenFieldSet = {};
      for (const key in value) out[`f:${key}`] = withSelf(ownedBy(shape, (value as Json)[key]));
      return closed(out);
    }
  }
}

/** All paths of a value that was not there before: each struct, map and item too. Always a member itself. */
export function wholeOf(shape: Shape, value: unknown): FieldSet {
  if (shape.kind === 'leaf' || typeof value !== 'object' || value === null) return LEAF;
  let out: OpenFieldSet | undefined;
  switch (shape.kind) {
    case 'struct':
      for (const key in value) {
        const field = shape.fields.get(key);
        const item = (value as Json)[key];
        if (field !== undefined && item !== undefined) (out ??= { '.': LEAF })[field.element] = wholeOf(field.shape, item);
      }
      if (out !== undefined) for (const field of shape.always) out[field.element] ??= LEAF;
      break;
    case 'map':
      for (const key in value) (out ??= { '.': LEAF })[`f:${key}`] = wholeOf(shape.element, (value as Json)[key]);
      break;
    case 'set':
    case 'list':
      for (const item of value as readonly unknown[]) {
        (out ??= { '.': LEAF })[listElement(shape, item)] = shape.kind === 'set' ? LEAF : wholeOf(shape.element, item);
      }
      break;
    case 'any':
      if (Array.isArray(value)) return LEAF;
      for (const key in value) (out ??= { '.': LEAF })[`f:${key}`] = wholeOf(shape, (value as Json)[key]);
      break;
  }
  return out ?? LEAF;
}
