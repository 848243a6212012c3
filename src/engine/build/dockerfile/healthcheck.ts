import { DockerfileError } from './error.ts';
import { checkFlags } from './flags.ts';
import type { HealthCheck } from './instructions.ts';
import { jsonForm, takeFlags } from './words.ts';

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** HEALTHCHECK's arguments. @throws DockerfileError */
export function parseHealthcheck(line: { readonly line: number; readonly endLine: number; readonly escape: string }, rest: string): HealthCheck {
  const fail = (message: string): never => {
    throw new DockerfileError(message, line.line, line.endLine);
  };
  const { flags, rest: after } = takeFlags(rest, line.escape);
  const given = checkFlags(line, flags, { interval: 'value', timeout: 'value', 'start-period': 'value', 'start-interval': 'value', retries: 'value' });
  const word = /^\S*/.exec(after)![0];
  const command = after.slice(word.length).trim();
  switch (word.toUpperCase()) {
    case '':
      return fail('HEALTHCHECK requires at least one argument');
    case 'NONE':
      if (command !== '') fail('HEALTHCHECK NONE takes no arguments');
      return { test: ['NONE'] };
    case 'CMD': {
      const args = jsonForm(command);
      if (command === '' || args?.length === 0) fail('Missing command after HEALTHCHECK CMD');
      const duration = (name: string): number | undefined => {
        const text = given[name]?.at(-1);
        return text === undefined ? undefined : parseDuration(text, name, fail);
      };
      const retries = given['retries']?.at(-1);
      if (retries !== undefined && !/^-?\d{1,9}$/.test(retries)) fail(`invalid number of retries ${JSON.stringify(retries)}`);
      if (Number(retries ?? 0) < 0) fail(`--retries cannot be negative (${retries})`);
      const [interval, timeout, startPeriod, startInterval] = [duration('interval'), duration('timeout'), duration('start-period'), duration('start-interval')];
      return {
        test: args ? ['CMD', ...args] : ['CMD-SHELL', command],
        ...(interval ? { interval } : {}),
        ...(timeout ? { timeout } : {}),
        ...(startPeriod ? { startPeriod } : {}),
        ...(startInterval ? { startInterval } : {}),
        ...(retries === undefined ? {} : { retries: Number(retries) }),
      };
    }
    default:
      return fail(`Unknown type ${JSON.stringify(word.toUpperCase())} in HEALTHCHECK (try CMD)`);
  }
}

/** Go's durations, as in `1m30s`, in nanoseconds. */
function parseDuration(text: string, name: string, fail: (message: string) => never): number {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) fail(`invalid duration ${JSON.stringify(text)} for --${name}`);
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(amount) * UNITS[unit!]!;
  if (total > 0 && total < 1e6) fail(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return total;
}
