/** Whoever pages through a list has one entry; more than this many at once is rare. */
const KEPT = 64;

/**
 * Remembers how many keys are left behind a page of a list at one revision.
 * What a revision holds never changes, so the next page, which begins just
 * behind, need not count all that follows again: a list of 150,000 keys in pages
 * of 500 would otherwise look at 22 million keys.
 */
export class PageCounts {
  /** By range and revision, the oldest entry first. */
  readonly #rest = new Map<string, number>();

  /** How many keys there are at `revision` from just behind `start`'s page on, if that page was read here. */
  take(start: string, end: string, revision: number): number | undefined {
    if (this.#rest.size === 0) return undefined;
    return this.#rest.get(nameOf(start, end, revision));
  }

  /** A page that ended with the key `last` left `rest` keys of its range unread. */
  keep(last: string, end: string, revision: number, rest: number): void {
    if (this.#rest.size >= KEPT) this.#rest.delete(this.#rest.keys().next().value!);
    // The next page begins at the smallest key behind the last one.
    this.#rest.set(nameOf(`${last}\0`, end, revision), rest);
  }
}

function nameOf(start: string, end: string, revision: number): string {
  return `${revision} ${start.length} ${start}${end}`;
}
