/** The middle one of some values. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value below which a part (0 to 1) of them lies. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
