const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60,
};

/** A quantity as a number of its base unit (cores, bytes, objects): exact enough for comparing limits. NaN for what is none. */
export function quantity(text: string | number | undefined): number {
  if (text === undefined) return 0;
  if (typeof text === 'number') return text;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text);
  if (match === null) return Number.NaN;
  const [, digits, exponent, suffix = ''] = match;
  return Number(digits) * (exponent === undefined ? SUFFIXES[suffix]! : 10 ** Number(exponent));
}

/** Writes a number as the shortest quantity of its kind: milli for CPU, binary suffixes for memory. */
export function formatQuantity(value: number, like: 'cpu' | 'bytes' | 'count'): string {
  if (like === 'cpu') return Number.isInteger(value) ? String(value) : `${Math.round(value * 1000)}m`;
  if (like === 'bytes') {
    for (const [suffix, unit] of [['Ei', 2 ** 60], ['Pi', 2 ** 50], ['Ti', 2 ** 40], ['Gi', 2 ** 30], ['Mi', 2 ** 20], ['Ki', 2 ** 10]] as const) {
      if (value >= unit && value % unit === 0) return `${value / unit}${suffix}`;
    }
  }
  return String(value);
}
