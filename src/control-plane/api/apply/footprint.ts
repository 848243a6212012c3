import { equal } from './compare.ts';
import type { FieldSet } from './field-set.ts';
import type { Shape } from './shape.ts';

type Json = Readonly<Record<string, unknown>>;

/** What of a value a comparison with a blank object looks at: two with the same footprint own the same fields. */
interface Print {
  /** Keys in their order; of a list, the values of its items' keys; of a set, its values. */
  readonly names: readonly unknown[];
  readonly parts: readonly Print[];
}

const NONE: Print = { names: [], parts: [] };
/** Singletons for what has no parts. */
const LEAF: Print = { ...NONE };
const NULL: Print = { ...NONE };
const ABSENT: Print = { ...NONE };
const EQUAL: Print = { ...NONE };
const DIFFERENT: Print = { ...NONE };

/** A value of more parts is not worth remembering. */
const MOST_PARTS = 512;
/** So many are remembered for a shape, the last used first. */
const KEPT = 4;
/** After so many values in a row that were like none before, only every so manieth is remembered. */
const PATIENCE = 32;
const SELDOM = 16;

interface Remembered {
  readonly blank: unknown;
  readonly print: Print;
  readonly fields: FieldSet;
}

interface Memory {
  readonly kept: Remembered[];
  misses: number;
}

const memories = new WeakMap<Shape, Memory>();

/** The fields that a new object sets, where one with the same fields was seen before. Objects made of a template are found by a walk that allocates nothing. */
export function recall(shape: Shape, blank: unknown, value: unknown): FieldSet | undefined {
  const memory = memories.get(shape);
  if (memory === undefined) return undefined;
  const { kept } = memory;
  for (let n = 0; n < kept.length; n++) {
    const one = kept[n]!;
    if (one.blank !== blank || !fits(shape, blank, value, one.print)) continue;
    memory.misses = 0;
    if (n > 0) kept.unshift(...kept.splice(n, 1));
    return one.fields;
  }
  return undefined;
}

/** Remembers what `recall` could not tell. */
export function remember(shape: Shape, blank: unknown, value: unknown, fields: FieldSet): void {
  let memory = memories.get(shape);
  if (memory === undefined) memories.set(shape, (memory = { kept: [], misses: 0 }));
  memory.misses++;
  if (memory.misses > PATIENCE && memory.misses % SELDOM !== 0) return;
  const budget = { left: MOST_PARTS };
  const print = take(shape, blank, value, budget);
  if (budget.left < 0) return;
  memory.kept.unshift({ blank, print, fields });
  if (memory.kept.length > KEPT) memory.kept.pop();
}

/** The print of what counts as a whole: where there is something to compare it with, whether it is the same. undefined: it counts by its parts. */
function single(shape: Shape, before: unknown, value: unknown): Print | undefined {
  if (value === undefined) return ABSENT;
  if (value === null) return NULL;
  if (shape.kind !== 'leaf' && typeof value === 'object') return undefined;
  if (before === undefined) return LEAF;
  return equal(before, value) ? EQUAL : DIFFERENT;
}

function below(before: unknown, key: string): unknown {
  return typeof before === 'object' && before !== null && Object.hasOwn(before, key) ? (before as Json)[key] : undefined;
}

function take(shape: Shape, before: unknown, value: unknown, budget: { left: number }): Print {
  const alone = single(shape, before, value);
  if (alone !== undefined || --budget.left < 0) return alone ?? LEAF;
  const names: unknown[] = [];
  const parts: Print[] = [];
  const element = elementOf(shape);
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      if (shape.kind === 'list') for (const key of shape.keys) names.push((item as Json | null)?.[key] ?? shape.defaults[key]);
      else if (shape.kind === 'set') names.push(item);
      parts.push(take(element, undefined, item, budget));
    }
    // What is no scalar is never the same again, and only wastes its place; items are compared with none.
    if (names.some((name) => typeof name === 'object' && name !== null) || (Array.isArray(before) && before.length > 0)) budget.left = -1;
    return { names, parts };
  }
  for (const key in value as Json) {
    const field = shape.kind === 'struct' ? shape.fields.get(key)?.shape : element;
    if (field === undefined) continue;
    names.push(key);
    parts.push(take(field, below(before, key), (value as Json)[key], budget));
  }
  return { names, parts };
}

/** Whether a value has this print. */
function fits(shape: Shape, before: unknown, value: unknown, print: Print): boolean {
  const alone = single(shape, before, value);
  if (alone !== undefined) return alone === print;
  if (print === LEAF || print === NULL || print === ABSENT || print === EQUAL || print === DIFFERENT) return false;
  const { names, parts } = print;
  const element = elementOf(shape);
  let at = 0;
  let name = 0;
  if (Array.isArray(value)) {
    if (value.length !== parts.length) return false;
    for (const item of value as readonly unknown[]) {
      if (shape.kind === 'list') {
        for (const key of shape.keys) {
          if (names[name++] !== ((item as Json | null)?.[key] ?? shape.defaults[key])) {
            return false;
          }
        }
      }
      if (shape.kind === 'set' && names[name++] !== item) return false;
      if (!fits(element, undefined, item, parts[at++]!)) return false;
    }
    return name === names.length;
  }
  for (const key in value as Json) {
    const field = shape.kind === 'struct' ? shape.fields.get(key)?.shape : element;
    if (field === undefined) continue;
    if (names[at] !== key || !fits(field, below(before, key), (value as Json)[key], parts[at]!)) return false;
    at++;
  }
  return at === parts.length && at === names.length;
}

const LEAF_SHAPE: Shape = { kind: 'leaf' };

function elementOf(shape: Shape): Shape {
  if (shape.kind === 'list' || shape.kind === 'map') return shape.element;
  return shape.kind === 'any' ? shape : LEAF_SHAPE;
}
