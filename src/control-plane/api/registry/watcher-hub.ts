import type { Change } from './changes.ts';
import type { FieldReader } from './field-selector.ts';
import type { Watcher } from './watcher.ts';

interface FieldGroup {
  readonly read: FieldReader;
  readonly byValue: Map<string, Set<Watcher>>;
}

/**
 * Who watches a resource. A watch of one name, or of one value of a field
 * (each agent watches the pods of its node), is found by index: 5,000 agents
 * cost an event no more than one.
 */
export class WatcherHub {
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #byField = new Map<string, FieldGroup>();
  readonly #rest = new Set<Watcher>();
  #count = 0;

  get size(): number {
    return this.#count;
  }

  add(watcher: Watcher): void {
    this.#count++;
    const { selection } = watcher;
    const field = selection.fields?.indexable;
    if (selection.key !== undefined) into(this.#byKey, selection.key, watcher);
    else if (field !== undefined) {
      const group = this.#byField.get(field.field) ?? { read: field.read, byValue: new Map<string, Set<Watcher>>() };
      this.#byField.set(field.field, group);
      into(group.byValue, field.value, watcher);
    } else this.#rest.add(watcher);
  }

  delete(watcher: Watcher): void {
    const { selection } = watcher;
    const field = selection.fields?.indexable;
    let removed: boolean;
    if (selection.key !== undefined) removed = outOf(this.#byKey, selection.key, watcher);
    else if (field !== undefined) {
      const group = this.#byField.get(field.field);
      removed = group !== undefined && outOf(group.byValue, field.value, watcher);
      if (group?.byValue.size === 0) this.#byField.delete(field.field);
    } else removed = this.#rest.delete(watcher);
    if (removed) this.#count--;
  }

  publish(change: Change): void {
    if (this.#count === 0) return;
    for (const watcher of this.#rest) watcher.offer(change);
    for (const watcher of this.#byKey.get(change.key) ?? []) watcher.offer(change);
    for (const { read, byValue } of this.#byField.values()) {
      const before = change.old === undefined ? undefined : read(change.old.object);
      const after = change.now === undefined ? undefined : read(change.now.object);
      if (before !== undefined) for (const watcher of byValue.get(before) ?? []) watcher.offer(change);
      if (after !== undefined && after !== before) for (const watcher of byValue.get(after) ?? []) watcher.offer(change);
    }
  }

  all(): Watcher[] {
    const out = [...this.#rest];
    for (const set of this.#byKey.values()) out.push(...set);
    for (const group of this.#byField.values()) for (const set of group.byValue.values()) out.push(...set);
    return out;
  }
}

function into(map: Map<string, Set<Watcher>>, key: string, watcher: Watcher): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([watcher]));
  else set.add(watcher);
}

function outOf(map: Map<string, Set<Watcher>>, key: string, watcher: Watcher): boolean {
  const set = map.get(key);
  const removed = set?.delete(watcher) ?? false;
  if (set?.size === 0) map.delete(key);
  return removed;
}
