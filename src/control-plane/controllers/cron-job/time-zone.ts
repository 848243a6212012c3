import { LongshoreError } from '../../../lib/errors.ts';

/** Wall clocks of a time zone. Wall times are carried as if they were UTC: the fields of a Date are the fields of the clock. */
export class TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat | undefined;

  /** @param name of the IANA database, as in `Europe/Berlin` @throws LongshoreError `invalid` */
  constructor(name: string) {
    this.name = name;
    if (name === 'UTC' || name === 'Etc/UTC' || name === '') return;
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (error) {
      throw new LongshoreError('invalid', `unknown time zone ${name}`, { cause: error });
    }
  }

  /** What the wall clock shows at a moment. */
  wallAt(utcMs: number): number {
    if (this.#format === undefined) return utcMs;
    const fields: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(utcMs)) if (type !== 'literal') fields[type] = Number(value);
    return (
      Date.UTC(fields['year']!, fields['month']! - 1, fields['day'], fields['hour'], fields['minute'], fields['second']) +
      (((utcMs % 1000) + 1000) % 1000)
    );
  }

  /** The moments at which the wall clock shows this: none when it is skipped, two when it comes twice. */
  momentsOf(wallMs: number): number[] {
    if (this.#format === undefined) return [wallMs];
    const day = 86_400_000;
    const offsets = new Set([this.wallAt(wallMs - day) - (wallMs - day), this.wallAt(wallMs + day) - (wallMs + day)]);
    return [...offsets].map((offset) => wallMs - offset).filter((moment) => this.wallAt(moment) === wallMs).toSorted((a, b) => a - b);
  }

  /** RFC 3339 with the zone's offset. */
  format(utcMs: number): string {
    const wall = this.wallAt(utcMs);
    const offset = Math.round((wall - utcMs) / 60_000);
    if (offset === 0) return new Date(utcMs).toISOString().slice(0, 19) + 'Z';
    const two = (n: number): string => String(Math.floor(n)).padStart(2, '0');
    return `${new Date(wall).toISOString().slice(0, 19)}${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  }
}
