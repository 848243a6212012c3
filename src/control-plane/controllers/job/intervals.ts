/** Whole numbers as runs [first, last], in order, apart from each other: `1,3-5` on the wire. */
export type Intervals = readonly (readonly [first: number, last: number])[];

export const NO_INDEXES: Intervals = [];

/** Reads the wire form; what is malformed or not below `limit` is left out. */
export function parseIntervals(text: string | undefined, limit: number): Intervals {
  const runs: (readonly [number, number])[] = [];
  for (const part of (text ?? '').split(',')) {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? match[1]), limit - 1);
    if (first <= last) runs.push([first, last]);
  }
  return merged(runs);
}

/** The wire form: runs of two are written with a comma, longer ones with a dash. */
export function formatIntervals(intervals: Intervals): string {
  return intervals.map(([first, last]) => (last === first ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`)).join(',');
}

export function sizeOf(intervals: Intervals): number {
  return intervals.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

export function includes(intervals: Intervals, index: number): boolean {
  let low = 0;
  let high = intervals.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = intervals[middle]!;
    if (index < first) high = middle - 1;
    else if (index > last) low = middle + 1;
    else return true;
  }
  return false;
}

export function withIndexes(intervals: Intervals, indexes: Iterable<number>): Intervals {
  return union(intervals, [...indexes].map((index) => [index, index] as const));
}

export function union(a: Intervals, b: Intervals): Intervals {
  return merged([...a, ...b]);
}

/** How many numbers both have. */
export function overlap(a: Intervals, b: Intervals): number {
  let count = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    count += Math.max(Math.min(a[i]![1], b[j]![1]) - Math.max(a[i]![0], b[j]![0]) + 1, 0);
    if (a[i]![1] < b[j]![1]) i++;
    else j++;
  }
  return count;
}

/** The first `count` numbers below `limit` that are in none of the intervals. */
export function firstMissing(intervals: Intervals, count: number, limit: number): number[] {
  const found: number[] = [];
  let candidate = 0;
  for (const [first, last] of [...intervals, [limit, limit] as const]) {
    for (; candidate < Math.min(first, limit) && found.length < count; candidate++) found.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return found;
}

function merged(runs: readonly (readonly [number, number])[]): Intervals {
  const out: [number, number][] = [];
  for (const [first, last] of runs.toSorted((a, b) => a[0] - b[0])) {
    const previous = out.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else out.push([first, last]);
  }
  return out;
}
