import { LongshoreError } from '../../lib/errors.ts';
import type { IntOrString } from './scalars.ts';

/**
 * The number that an IntOrString stands for: an integer is itself, `25%` is that share of `total`.
 * @throws LongshoreError `invalid` for a text that is no percentage
 */
export function scaledIntOrPercent(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = percentOf(value);
  if (percent === undefined) {
    throw new LongshoreError(
      'invalid',
      `invalid value for IntOrString: invalid type: string is not a percentage: ${JSON.stringify(value)}`,
    );
  }
  const share = (percent * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}

/** 25 of `25%`; undefined for a number or another text. */
function percentOf(value: IntOrString): number | undefined {
  return typeof value === 'string' && /^[0-9]+%$/.test(value) ? Number(value.slice(0, -1)) : undefined;
}
