import type { RegistryWatchSink } from '../contract.ts';
import type { Change } from './changes.ts';
import type { Selection } from './selection.ts';
import { Stored } from './stored.ts';

/** The kind of a watch, in the version that the client asked for. */
export interface WatchedKind {
  readonly kind: string;
  readonly apiVersion: string;
  /** The object in that version. */
  view(stored: Stored): Stored;
}

/** One client's watch: turns changes into the events that its selection sees. */
export class Watcher {
  readonly selection: Selection;
  readonly bookmarks: boolean;
  readonly #sink: RegistryWatchSink;
  readonly #kind: WatchedKind;
  #after: number;
  #stopped = false;

  /**
   * @param after only changes after this revision are delivered
   */
  constructor(parts: {
    readonly selection: Selection;
    readonly bookmarks: boolean;
    readonly after: number;
    readonly sink: RegistryWatchSink;
    readonly kind: WatchedKind;
  }) {
    this.selection = parts.selection;
    this.bookmarks = parts.bookmarks;
    this.#after = parts.after;
    this.#sink = parts.sink;
    this.#kind = parts.kind;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** The newest revision that it was offered. */
  get after(): number {
    return this.#after;
  }

  initial(stored: Stored): void {
    if (!this.#stopped) this.#sink.event('ADDED', this.#kind.view(stored));
  }

  /** A change that leaves the selection is a deletion to this client, one that enters it a creation. */
  offer(change: Change): void {
    if (this.#stopped || change.revision <= this.#after) return;
    const { key, old, now } = change;
    const before = old !== undefined && this.selection.includes(key, old);
    const after = now !== undefined && this.selection.includes(key, now);
    if (after) this.#sink.event(before ? 'MODIFIED' : 'ADDED', this.#kind.view(now));
    else if (before) this.#sink.event('DELETED', this.#kind.view(change.last));
  }

  /** An object of the kind that holds a resourceVersion and nothing else: so far this client has seen everything. */
  bookmark(revision: number, initialEventsEnd = false): void {
    if (this.#stopped || !this.bookmarks) return;
    const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
    const object = { kind: this.#kind.kind, apiVersion: this.#kind.apiVersion, metadata: { resourceVersion: String(revision), ...annotations } };
    this.#sink.event('BOOKMARK', Stored.of(object, revision));
  }

  /** From now on changes up to `revision` count as seen. */
  seen(revision: number): void {
    if (revision > this.#after) this.#after = revision;
  }

  stop(): void {
    this.#stopped = true;
  }

  end(error: Error | undefined): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#sink.ended(error);
  }
}
