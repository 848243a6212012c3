import { randomInt, type Random } from '../../../lib/random.ts';

/**
 * A free number of a range: some drawn ones first, then the next free one.
 * Those who want a fixed number take it from the start of the range, so that
 * is used last.
 * @param reserved how many numbers at the start are used last
 * @returns an offset below `size`; undefined when all are taken
 */
export function pickFree(random: Random, size: number, reserved: number, isTaken: (offset: number) => boolean): number | undefined {
  const upper = size - reserved;
  if (upper > 0) {
    for (let draw = 0; draw < 4; draw++) {
      const offset = reserved + randomInt(random, upper);
      if (!isTaken(offset)) return offset;
    }
    const from = randomInt(random, upper);
    for (let step = 0; step < upper; step++) {
      const offset = reserved + ((from + step) % upper);
      if (!isTaken(offset)) return offset;
    }
  }
  for (let offset = 0; offset < Math.min(reserved, size); offset++) if (!isTaken(offset)) return offset;
  return undefined;
}

/** How much of a range is kept for those who ask for a number: a sixteenth, at least `low` and at most `high`. */
export function reservedBand(size: number, low: number, high: number): number {
  return Math.min(Math.max(low, Math.floor(size / 16)), high, Math.max(0, size - 1));
}
