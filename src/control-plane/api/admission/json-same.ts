/** Whether two JSON values say the same; nothing and an empty list or object are alike. */
export function jsonSame(a: unknown, b: unknown): boolean {
  return text(a) === text(b);
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '';
  const out = JSON.stringify(sorted(value));
  return out === '[]' || out === '{}' ? '' : out;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined && item !== null)
      .sort(([x], [y]) => (x < y ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
