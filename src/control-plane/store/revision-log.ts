import type { WatchEvent } from './store.ts';

/** After so many forgotten entries the array is cut, when they are half of it. */
const CUT_AT = 1024;

/** The events of each revision, without gaps: a queue that is read by revision, grows at its end and is forgotten from its start. */
export class RevisionLog {
  #items: (readonly WatchEvent[])[] = [];
  /** Forgotten entries at the start of #items. */
  #gone = 0;
  /** The revision of the first entry still held. */
  #first: number;

  /** An empty log whose first entry will be `first`. */
  constructor(first: number) {
    this.#first = first;
  }

  /** The revision of the first entry held, or of the next one where the log is empty. */
  get first(): number {
    return this.#first;
  }

  push(events: readonly WatchEvent[]): void {
    this.#items.push(events);
  }

  /** The events of a revision from `first` up to the newest. */
  at(revision: number): readonly WatchEvent[] {
    return this.#items[this.#gone + revision - this.#first] ?? [];
  }

  /** Takes the oldest entry out. */
  shift(): readonly WatchEvent[] {
    const events = this.#items[this.#gone] ?? [];
    this.#items[this.#gone++] = [];
    this.#first++;
    if (this.#gone >= CUT_AT && this.#gone * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#gone);
      this.#gone = 0;
    }
    return events;
  }
}
