import { constants } from 'node:os';
import { LongshoreError } from '../../../lib/errors.ts';

/** A signal by number or name, with or without SIG. @throws `invalid` */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number > 0 && number <= 64) return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RTM(IN|AX)([+-]\d+)?$/.exec(name);
  if (realtime !== null) return (realtime[1] === 'IN' ? 34 : 64) + Number(realtime[2] ?? 0);
  const number = (constants.signals as Record<string, number>)[`SIG${name}`];
  if (number === undefined) throw new LongshoreError('invalid', `invalid signal: ${text}`);
  return number;
}
