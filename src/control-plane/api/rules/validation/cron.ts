const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
/** minute, hour, day of month, month, day of week */
const BOUNDS: readonly { readonly min: number; readonly max: number; readonly names?: readonly string[]; readonly from?: number }[] = [
  { min: 0, max: 59 }, { min: 0, max: 23 }, { min: 1, max: 31 }, { min: 1, max: 12, names: MONTHS, from: 1 }, { min: 0, max: 6, names: DAYS, from: 0 },
];

/** Why a text is no cron schedule, in the words of the parser that upstream uses; undefined when it is one. */
export function whyNoSchedule(schedule: string): string | undefined {
  const spec = schedule.replace(/^(?:CRON_)?TZ=\S+\s+/, '').trim();
  if (spec === '') return 'empty spec string';
  if (spec.startsWith('@')) return whyNoDescriptor(spec);
  const fields = spec.split(/\s+/);
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  for (const [n, field] of fields.entries()) {
    for (const part of field.split(',').filter((text) => text !== '')) {
      const wrong = whyNoRange(part, BOUNDS[n]!);
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

function whyNoDescriptor(spec: string): string | undefined {
  if (DESCRIPTORS.includes(spec)) return undefined;
  if (!spec.startsWith('@every ')) return `unrecognized descriptor: ${spec}`;
  const duration = spec.slice('@every '.length);
  return /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(duration) || duration === '0'
    ? undefined
    : `failed to parse duration ${spec}: time: invalid duration ${JSON.stringify(duration)}`;
}

function whyNoRange(expression: string, bounds: (typeof BOUNDS)[number]): string | undefined {
  const [range = '', step, ...more] = expression.split('/');
  const [low = '', high, ...rest] = range.split('-');
  if (rest.length > 0) return `too many hyphens: ${expression}`;
  let [start, end] = [bounds.min, bounds.max];
  if (low !== '*' && low !== '?') {
    const first = valueOf(low, bounds);
    if (typeof first === 'string') return first;
    start = first;
    end = first;
    if (high !== undefined) {
      const last = valueOf(high, bounds);
      if (typeof last === 'string') return last;
      end = last;
    }
  }
  if (more.length > 0) return `too many slashes: ${expression}`;
  if (step !== undefined) {
    const width = valueOf(step, { min: 0, max: 0 });
    if (typeof width === 'string') return width;
    if (high === undefined && low !== '*' && low !== '?') end = bounds.max;
    if (width === 0) return `step of range should be a positive number: ${expression}`;
  }
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${expression}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${expression}`;
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${expression}` : undefined;
}

function valueOf(text: string, bounds: (typeof BOUNDS)[number]): number | string {
  const named = bounds.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + (bounds.from ?? 0);
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (/^-\d{1,9}$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}
