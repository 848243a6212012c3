import { prefixEnd, type Store } from '../../store/store.ts';
import { Change, ChangeRing } from './changes.ts';
import { Indexes, labelReader } from './indexes.ts';
import type { Selection } from './selection.ts';
import { SortedList, type SortedView } from './sorted-list.ts';
import { Stored } from './stored.ts';
import { WatcherHub } from './watcher-hub.ts';

/** Lists that were cut by `limit` find their state again in one of so many snapshots; older ones are read from the store's history. */
const MAX_SNAPSHOTS = 8;

/**
 * All objects of one resource, in memory: what is durable, nothing less and
 * nothing more. Fed by the feed's one watch of the store. Keys are relative:
 * `namespace/name`, or `name` for cluster-scoped kinds.
 */
export class ResourceCache {
  readonly id: string;
  /** Of all its keys in the store, as in `/registry/core/pods/`. */
  readonly prefix: string;
  readonly watchers = new WatcherHub();
  readonly changes = new ChangeRing();
  readonly #store: Store;
  readonly #entries = new Map<string, Stored>();
  readonly #sorted = new SortedList<Stored>();
  readonly #indexes = new Indexes();
  readonly #snapshots = new Map<number, SortedView<Stored>>();
  /** What the store told when this was loaded; older events are known already. */
  readonly loadedAt: number;

  constructor(store: Store, id: string, prefix: string) {
    this.#store = store;
    this.id = id;
    this.prefix = prefix;
    const { entries, revision } = store.range(prefix, prefixEnd(prefix));
    for (const entry of entries) {
      const key = entry.key.slice(prefix.length);
      const stored = Stored.fromBytes(entry.value, entry.modRevision);
      this.#entries.set(key, stored);
      this.#sorted.set(key, stored);
    }
    this.loadedAt = revision;
    this.changes.startAt(revision);
  }

  get(key: string): Stored | undefined {
    return this.#entries.get(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  view(): SortedView<Stored> {
    return this.#sorted.view();
  }

  /** Keeps the present state for the next pages of a list. */
  remember(revision: number): void {
    if (this.#snapshots.has(revision)) return;
    if (this.#snapshots.size >= MAX_SNAPSHOTS) this.#snapshots.delete(this.#snapshots.keys().next().value!);
    this.#snapshots.set(revision, this.view());
  }

  forgetSnapshots(): void {
    this.#snapshots.clear();
  }

  /**
   * The state at an earlier revision: the present one if nothing changed since, else a snapshot, else the store's history.
   * @throws LongshoreError `gone` when that is compacted
   */
  viewAt(revision: number): SortedView<Stored> {
    if (this.changes.last <= revision) return this.view();
    const snapshot = this.#snapshots.get(revision);
    if (snapshot !== undefined) return snapshot;
    const list = new SortedList<Stored>();
    for (const entry of this.#store.range(this.prefix, prefixEnd(this.prefix), { revision }).entries) {
      const key = entry.key.slice(this.prefix.length);
      const now = this.#entries.get(key);
      list.set(key, now?.revision === entry.modRevision ? now : Stored.fromBytes(entry.value, entry.modRevision));
    }
    return list.view();
  }

  /** The selected objects, found by an index, in order of their keys; undefined when there is no index for it, or it wouldn't pay. */
  byIndex(selection: Selection): Stored[] | undefined {
    const wanted = this.#indexed(selection);
    if (wanted === undefined) return undefined;
    let size = 0;
    for (const bucket of wanted) size += bucket?.size ?? 0;
    if (size * 4 > this.size && size > 64) return undefined;
    const found: [string, Stored][] = [];
    for (const bucket of wanted) {
      for (const entry of bucket ?? []) if (selection.includes(entry[0], entry[1])) found.push(entry);
    }
    return found.sort((a, b) => (a[0] < b[0] ? -1 : 1)).map((entry) => entry[1]);
  }

  #indexed(selection: Selection): (ReadonlyMap<string, Stored> | undefined)[] | undefined {
    const all = (): Iterable<readonly [string, Stored]> => this.#entries;
    const field = selection.fields?.indexable;
    if (field !== undefined) return [this.#indexes.lookup(`field ${field.field}`, field.read, field.value, all)];
    const label = selection.labels?.indexable;
    if (label === undefined) return undefined;
    return [...label.values].map((value) => this.#indexes.lookup(`label ${label.key}`, labelReader(label.key), value, all));
  }

  /** Applies one event of the store; watchers hear of it. */
  apply(key: string, stored: Stored | undefined, revision: number): void {
    const old = this.#entries.get(key);
    if (stored === undefined) {
      if (old === undefined) return;
      this.#entries.delete(key);
      this.#sorted.delete(key);
    } else {
      this.#entries.set(key, stored);
      this.#sorted.set(key, stored);
    }
    this.#indexes.changed(key, old, stored);
    const change = new Change(key, old, stored, revision);
    this.changes.push(change);
    this.watchers.publish(change);
  }
}
