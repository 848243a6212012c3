const digit = (text: string, at: number): number => text.charCodeAt(at) - 48;

function number(text: string, at: number, width: number): number {
  let value = 0;
  for (let n = 0; n < width; n++) {
    const d = digit(text, at + n);
    if (!(d >= 0 && d <= 9)) return NaN;
    value = value * 10 + d;
  }
  return value;
}

/** Days of a month of the Gregorian calendar. */
function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function validDateTime(text: string): boolean {
  const [year, month, day] = [number(text, 0, 4), number(text, 5, 2), number(text, 8, 2)];
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return false;
  if (text[4] !== '-' || text[7] !== '-' || text[10] !== 'T' || text[13] !== ':' || text[16] !== ':') return false;
  return number(text, 11, 2) <= 23 && number(text, 14, 2) <= 59 && number(text, 17, 2) <= 59;
}

const ZONE = /^(?:Z|[+-](\d\d):(\d\d))$/;

/** RFC 3339 to the second in UTC, as metav1.Time is written; undefined when it is no such time. */
export function canonicalTime(text: string): string | undefined {
  if (text.length < 20 || !validDateTime(text)) return undefined;
  if (text.length === 20 && text[19] === 'Z') return text;
  const [, zone] = /^[.,]?\d*(.*)$/.exec(text.slice(19)) ?? [];
  const fraction = text.slice(19, text.length - (zone?.length ?? 0));
  if (zone === undefined || (fraction !== '' && !/^[.,]\d+$/.test(fraction))) return undefined;
  return shift(text, zone, '');
}

/** RFC 3339 with exactly six decimals, in UTC. */
export function canonicalMicroTime(text: string): string | undefined {
  if (text.length < 27 || !validDateTime(text) || !/^\.\d{6}/.test(text.slice(19, 26))) return undefined;
  if (text.length === 27 && text[26] === 'Z') return text;
  return shift(text, text.slice(26), text.slice(19, 26));
}

function shift(text: string, zone: string, fraction: string): string | undefined {
  const found = ZONE.exec(zone);
  if (found === null) return undefined;
  const [hours, minutes] = [Number(found[1] ?? 0), Number(found[2] ?? 0)];
  if (hours > 24 || minutes > 59) return undefined;
  const offset = (hours * 60 + minutes) * (zone.startsWith('-') ? -1 : 1) * 60_000;
  const at = new Date(Date.parse(`${text.slice(0, 19)}Z`) - offset);
  const iso = Number.isNaN(at.getTime()) ? '' : at.toISOString();
  return iso.length === 24 ? `${iso.slice(0, 19)}${fraction}Z` : undefined;
}

/** Why Go's time.Parse refuses a text with the layout of metav1.Time or MicroTime. */
export function whyNoTime(text: string, micro: boolean): string {
  const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
  const shown = JSON.stringify(text);
  const parts: [string, RegExp][] = [
    ['2006', /^\d{4}/],
    ['-', /^-/],
    ['01', /^\d\d/],
    ['-', /^-/],
    ['02', /^\d\d/],
    ['T', /^T/],
    ['15', /^\d\d/],
    [':', /^:/],
    ['04', /^\d\d/],
    [':', /^:/],
    micro ? ['05', /^\d\d/] : ['05', /^\d\d(\.\d+)?/],
    ...(micro ? [['.000000', /^\.\d{6}/] as [string, RegExp]] : []),
    ['Z07:00', /^(Z|[+-]\d\d:\d\d)/],
  ];
  let rest = text;
  for (const [element, pattern] of parts) {
    const found = pattern.exec(rest);
    if (found === null) return `parsing time ${shown} as "${layout}": cannot parse ${JSON.stringify(rest)} as "${element}"`;
    rest = rest.slice(found[0].length);
  }
  if (rest !== '') return `parsing time ${shown}: extra text: ${JSON.stringify(rest)}`;
  const [month, day, hour, minute] = [number(text, 5, 2), number(text, 8, 2), number(text, 11, 2), number(text, 14, 2)];
  const range =
    month < 1 || month > 12
      ? 'month'
      : day < 1 || day > daysIn(number(text, 0, 4), month)
        ? 'day'
        : hour > 23
          ? 'hour'
          : minute > 59
            ? 'minute'
            : 'second';
  return `parsing time ${shown}: ${range} out of range`;
}

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** A duration as Go writes it (`1m` becomes `1m0s`); undefined when it is none. */
export function canonicalDuration(text: string): string | undefined {
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return '0s';
  if (body.length > 64 || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined;
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit] of body.matchAll(/(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const scale = UNITS.get(unit!)!;
    nanos += BigInt(whole || '0') * scale + (fraction === '' ? 0n : (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length));
  }
  if (nanos >= 2n ** 63n) return undefined;
  return nanos === 0n ? '0s' : (text.startsWith('-') ? '-' : '') + formatNanos(nanos);
}

function decimal(nanos: bigint, unit: bigint): string {
  const fraction = nanos % unit === 0n ? '' : `.${String(nanos % unit).padStart(String(unit).length - 1, '0').replace(/0+$/, '')}`;
  return `${nanos / unit}${fraction}`;
}

function formatNanos(nanos: bigint): string {
  if (nanos < 1000n) return `${nanos}ns`;
  if (nanos < 1_000_000n) return `${decimal(nanos, 1000n)}µs`;
  if (nanos < 1_000_000_000n) return `${decimal(nanos, 1_000_000n)}ms`;
  const [hours, minutes] = [nanos / 3_600_000_000_000n, (nanos / 60_000_000_000n) % 60n];
  const seconds = decimal(nanos % 60_000_000_000n, 1_000_000_000n);
  return `${hours > 0n ? `${hours}h` : ''}${hours > 0n || minutes > 0n ? `${minutes}m` : ''}${seconds}s`;
}
