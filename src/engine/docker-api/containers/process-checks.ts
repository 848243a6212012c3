import { LongshoreError } from '../../../lib/errors.ts';
import type { HealthSpec } from '../../containers/containers.ts';
import type { Healthcheck } from './config.ts';

/** @throws `invalid` for a variable without a name */
export function checkEnv(env: readonly string[] | null | undefined): void {
  for (const variable of env ?? []) {
    if (variable === '' || variable.startsWith('=')) {
      throw new LongshoreError('invalid', `invalid environment variable: ${variable}`, { object: 'Env' });
    }
  }
}

const DURATIONS = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const;

/** What a HEALTHCHECK asks for; undefined when nothing is to be checked. Its numbers are looked at in any case. @throws `invalid` */
export function healthOf(check: Healthcheck | null | undefined): HealthSpec | undefined {
  if (check === null || check === undefined) return undefined;
  for (const field of DURATIONS) {
    const nanoseconds = check[field] ?? 0;
    if (nanoseconds !== 0 && nanoseconds < 1e6) {
      throw new LongshoreError('invalid', `${field} in Healthcheck cannot be less than 1ms`, { object: 'Healthcheck' });
    }
  }
  if ((check.Retries ?? 0) < 0) throw new LongshoreError('invalid', 'Retries in Healthcheck cannot be negative', { object: 'Healthcheck' });
  const test = check.Test ?? [];
  if (test.length === 0 || test[0] === 'NONE') return undefined;
  const ms = (nanoseconds: number | undefined): number => (nanoseconds ?? 0) / 1e6;
  return {
    test,
    intervalMs: ms(check.Interval),
    timeoutMs: ms(check.Timeout),
    startPeriodMs: ms(check.StartPeriod),
    startIntervalMs: ms(check.StartInterval),
    retries: check.Retries ?? 0,
  };
}
