import { differenceAll, type FieldSet, intersectionAll, isEmpty, LEAF, unionAll } from './field-set.ts';
import { remove, withNamedFields } from './merge.ts';
import { ownedBy } from './own.ts';
import type { Shape } from './shape.ts';

/**
 * Takes out what a manager applied before and no longer does, unless somebody else owns it, or something below it.
 * @param merged the object with the new configuration laid over it
 * @param last what the manager owned before
 * @param managed what all managers own now, the new configuration's fields among them
 */
export function prune(shape: Shape, merged: unknown, last: FieldSet, managed: FieldSet): unknown {
  if (isEmpty(last)) return merged;
  const named = (set: FieldSet): FieldSet => withNamedFields(shape, set);
  const fieldsOf = (value: unknown): FieldSet => named(ownedBy(shape, value ?? {}) ?? LEAF);
  const all = fieldsOf(merged);
  // First without all of it; then again without only that of it which nobody owns.
  const bare = remove(shape, merged, named(last));
  const owned = remove(shape, merged, differenceAll(all, unionAll(fieldsOf(bare), named(managed))));
  // What went along without having been the manager's (a neighbour in a struct that was removed) comes back.
  return remove(shape, merged, intersectionAll(differenceAll(all, fieldsOf(owned)), named(last))) ?? {};
}
