/**
 * # Sets of fields
 *
 * In the form in which managedFields hold them (`fieldsV1`): nested objects whose keys are `f:name` (a field), `k:{"name":"a"}` (an item
 * of a list by its keys), `v:"x"` (a value of a set). A path belongs to the set when its object is empty, or holds the key `.`;
 * an object with other keys alone only leads to paths that do. Sets are never changed, and share what they have in common.
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** The paths of a set, being built. */
export type OpenFieldSet = Record<string, FieldSet>;

export const LEAF: FieldSet = Object.freeze({});

export function isEmpty(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the path at which this set hangs belongs to it. */
export function isMember(set: FieldSet): boolean {
  return set['.'] !== undefined || isEmpty(set);
}

/** What is in either. @param a,b tops of sets, or what hangs at the same path */
export function union(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  const out: OpenFieldSet = {};
  let size = 0;
  const member = isMember(a) || isMember(b);
  if (member) out['.'] = LEAF;
  for (const key in a) {
    if (key === '.') continue;
    size++;
    out[key] = union(a[key], b[key])!;
  }
  for (const key in b) {
    if (key === '.' || a[key] !== undefined) continue;
    size++;
    out[key] = b[key]!;
  }
  return size === 0 ? LEAF : out;
}

/** The union of two whole sets, of which an empty one is the empty set (and not a member). */
export function unionAll(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  return union(a, b)!;
}

/** What is in `a` and not in `b`; undefined when nothing is. */
export function difference(a: FieldSet, b: FieldSet | undefined): FieldSet | undefined {
  if (b === undefined) return a;
  const member = isMember(a) && !isMember(b);
  const out: OpenFieldSet = {};
  let size = 0;
  let same = member === isMember(a);
  for (const key in a) {
    if (key === '.') continue;
    const left = difference(a[key]!, b[key]);
    if (left !== a[key]) same = false;
    if (left === undefined) continue;
    size++;
    out[key] = left;
  }
  if (same) return a;
  if (size === 0) return member ? LEAF : undefined;
  if (member) out['.'] = LEAF;
  return out;
}

/** `difference` of whole sets. */
export function differenceAll(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  return difference(a, b) ?? LEAF;
}

/** What is in both; undefined when nothing is. */
function intersection(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return undefined;
  const member = isMember(a) && isMember(b);
  const out: OpenFieldSet = {};
  let size = 0;
  for (const key in a) {
    if (key === '.') continue;
    const both = intersection(a[key], b[key]);
    if (both === undefined) continue;
    size++;
    out[key] = both;
  }
  if (size === 0) return member ? LEAF : undefined;
  if (member) out['.'] = LEAF;
  return out;
}

/** `intersection` of whole sets. */
export function intersectionAll(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return LEAF;
  return intersection(a, b) ?? LEAF;
}

export function sameSet(a: FieldSet | undefined, b: FieldSet | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  let keys = 0;
  for (const key in a) {
    keys++;
    if (!sameSet(a[key], b[key])) return false;
  }
  for (const _ in b) keys--;
  return keys === 0;
}

/** The paths of a set as users know them: `.spec.containers[name="web"].image`. */
export function pathsOf(set: FieldSet, prefix = ''): string[] {
  const keys = Object.keys(set).filter((key) => key !== '.').sort();
  const members = keys.filter((key) => isMember(set[key]!)).map((key) => prefix + elementText(key));
  return [...members, ...keys.flatMap((key) => (isEmpty(set[key]!) ? [] : pathsOf(set[key]!, prefix + elementText(key))))];
}

function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const keys = JSON.parse(rest) as Record<string, unknown>;
  return `[${Object.keys(keys).sort().map((name) => `${name}=${JSON.stringify(keys[name])}`).join(',')}]`;
}
