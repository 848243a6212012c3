import { LongshoreError } from '../../../lib/errors.ts';
import { TimeZone } from './time-zone.ts';

/** When something recurs. */
export interface Schedule {
  readonly zone: TimeZone;
  /** The first moment after `afterMs`; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const HORIZON_YEARS = 5;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MACROS: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: MINUTE_MS, h: 60 * MINUTE_MS };

/**
 * Reads a schedule: five fields (minute, hour, day of month, month, day of
 * week) with lists, ranges, steps and names; `@daily` and its like; `@every 90m`.
 * @param zone used unless the text begins with `TZ=` or `CRON_TZ=`
 * @throws LongshoreError `invalid`
 */
export function parseSchedule(text: string, zone: string): Schedule {
  const prefixed = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(text.trim());
  const timeZone = new TimeZone(prefixed?.[1] ?? zone);
  const body = (prefixed?.[2] ?? text).trim();
  if (body.startsWith('@every ')) return every(body.slice(7).trim(), timeZone);
  const spec = body.startsWith('@') ? MACROS[body] : body;
  if (spec === undefined) throw invalid(`unrecognized descriptor: ${body}`);
  const fields = spec.split(/\s+/);
  if (fields.length !== 5) throw invalid(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  return new FieldSchedule(timeZone, {
    minutes: parseField(minute, 0, 59),
    hours: parseField(hour, 0, 23),
    days: parseField(day, 1, 31),
    months: parseField(month, 1, 12, MONTHS),
    weekdays: parseField(weekday, 0, 6, DAYS),
    anyDay: isStar(day),
    anyWeekday: isStar(weekday),
  });
}

function invalid(why: string): LongshoreError {
  return new LongshoreError('invalid', why);
}

function isStar(field: string): boolean {
  return field.split(',').some((part) => /^[*?](\/1)?$/.test(part));
}

function every(duration: string, zone: TimeZone): Schedule {
  let ms = 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(duration)) throw invalid(`failed to parse duration @every ${duration}`);
  for (const [, amount, unit] of duration.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) ms += Number(amount) * UNITS_MS[unit!]!;
  const step = Math.max(Math.floor(ms / 1000) * 1000, 1000);
  return { zone, next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + step };
}

function parseField(field: string, least: number, most: number, names: readonly string[] = []): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step, ...rest] = part.split('/');
    const [from = '', to, ...more] = range.split('-');
    if (rest.length > 0 || more.length > 0) throw invalid(`too many ${rest.length > 0 ? 'slashes' : 'hyphens'}: ${part}`);
    const star = range === '*' || range === '?';
    const first = star ? least : valueOf(from, least, names);
    // `5/10` runs to the end of the field.
    const last = star ? most : to !== undefined ? valueOf(to, least, names) : step !== undefined ? most : first;
    const by = step === undefined ? 1 : valueOf(step, 0, []);
    if (first < least || last > most || first > last) throw invalid(`range (${first}-${last}) is outside of ${least}-${most}: ${part}`);
    if (by === 0) throw invalid(`step of range should be a positive number: ${part}`);
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

function valueOf(text: string, least: number, names: readonly string[]): number {
  const named = names.indexOf(text.toLowerCase());
  if (named >= 0) return named + least;
  if (!/^\d{1,4}$/.test(text)) throw invalid(`failed to parse int from ${text}`);
  return Number(text);
}

interface Fields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  readonly anyDay: boolean;
  readonly anyWeekday: boolean;
}

class FieldSchedule implements Schedule {
  readonly zone: TimeZone;
  readonly #fields: Fields;

  constructor(zone: TimeZone, fields: Fields) {
    this.zone = zone;
    this.#fields = fields;
  }

  next(afterMs: number): number | undefined {
    const horizon = afterMs + HORIZON_YEARS * 366 * DAY_MS;
    let wall = Math.floor(this.zone.wallAt(afterMs) / MINUTE_MS) * MINUTE_MS;
    // An hour that comes twice may still be ahead in its second turn.
    for (let candidate = this.#matching(wall); candidate !== undefined; candidate = this.#matching(wall)) {
      const moment = this.zone.momentsOf(candidate).find((at) => at > afterMs);
      if (moment !== undefined) return moment;
      wall = candidate + MINUTE_MS;
      if (wall > horizon) return undefined;
    }
    return undefined;
  }

  /** The first wall time from `from` on that matches. */
  #matching(from: number): number | undefined {
    const { minutes, hours, months } = this.#fields;
    const date = new Date(from);
    const lastYear = date.getUTCFullYear() + HORIZON_YEARS;
    while (date.getUTCFullYear() <= lastYear) {
      if (!months.has(date.getUTCMonth() + 1)) {
        date.setUTCMonth(date.getUTCMonth() + 1, 1);
        date.setUTCHours(0, 0, 0, 0);
      } else if (!this.#isDay(date)) {
        date.setUTCDate(date.getUTCDate() + 1);
        date.setUTCHours(0, 0, 0, 0);
      } else if (!hours.has(date.getUTCHours())) date.setUTCHours(date.getUTCHours() + 1, 0, 0, 0);
      else if (!minutes.has(date.getUTCMinutes())) date.setUTCMinutes(date.getUTCMinutes() + 1, 0, 0);
      else return date.getTime();
    }
    return undefined;
  }

  /** When both kinds of day are given either will do, as cron has it since ever. */
  #isDay(date: Date): boolean {
    const { days, weekdays, anyDay, anyWeekday } = this.#fields;
    const day = days.has(date.getUTCDate());
    const weekday = weekdays.has(date.getUTCDay());
    return anyDay || anyWeekday ? day && weekday : day || weekday;
  }
}
