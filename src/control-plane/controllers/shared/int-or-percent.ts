import { LongshoreError } from '../../../lib/errors.ts';
import type { IntOrString } from '../../../types/kubernetes/scalars.ts';

/**
 * A number, or a percentage of `total`, rounded to a whole number.
 * @throws LongshoreError `invalid` for a string that is no percentage
 */
export function scaled(value: IntOrString | undefined, total: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const match = /^(\d+)%$/.exec(value);
  if (match === null) {
    throw new LongshoreError('invalid', `invalid value for IntOrString: ${JSON.stringify(value)} is neither a number nor a percentage`);
  }
  const part = (Number(match[1]) * total) / 100;
  return round === 'up' ? Math.ceil(part) : Math.floor(part);
}
