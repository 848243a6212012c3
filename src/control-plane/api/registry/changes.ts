import type { Stored } from './stored.ts';

/** How many changes a resource remembers as objects; a watch from further back is replayed from the store's history. */
const RING = 512;

/** One object went from `old` to `now`. Shared by all watchers, so that what they are sent is made once. */
export class Change {
  readonly key: string;
  readonly old: Stored | undefined;
  readonly now: Stored | undefined;
  readonly revision: number;
  #last: Stored | undefined;

  constructor(key: string, old: Stored | undefined, now: Stored | undefined, revision: number) {
    this.key = key;
    this.old = old;
    this.now = now;
    this.revision = revision;
  }

  /** The object as it was last, with the revision of this change: what DELETED carries. */
  get last(): Stored {
    return (this.#last ??= this.old!.at(this.revision));
  }
}

/** The newest changes of a resource. */
export class ChangeRing {
  #ring: Change[] = [];
  #at = 0;
  #from = 0;
  #last = 0;

  /** Everything after this revision is known. */
  startAt(revision: number): void {
    this.#from = revision;
    this.#last = revision;
  }

  /** A watch after this revision, or a later one, can be served from here. */
  get from(): number {
    return this.#from;
  }

  /** Revision of the newest change. */
  get last(): number {
    return this.#last;
  }

  push(change: Change): void {
    this.#last = change.revision;
    if (this.#ring.length < RING) {
      this.#ring.push(change);
      return;
    }
    this.#from = this.#ring[this.#at]!.revision;
    this.#ring[this.#at] = change;
    this.#at = (this.#at + 1) % RING;
  }

  /** The changes after `revision`, oldest first. */
  after(revision: number): Change[] {
    const out: Change[] = [];
    for (let i = 0; i < this.#ring.length; i++) {
      const change = this.#ring[(this.#at + i) % this.#ring.length]!;
      if (change.revision > revision) out.push(change);
    }
    return out;
  }

  /** Drops what is older than `revision`: idle memory shrinks. */
  trim(revision: number): void {
    const kept = this.after(revision);
    if (kept.length === this.#ring.length) return;
    this.#from = Math.max(this.#from, revision);
    this.#ring = kept;
    this.#at = 0;
  }
}
