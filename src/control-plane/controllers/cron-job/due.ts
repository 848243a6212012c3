import { LongshoreError } from '../../../lib/errors.ts';
import type { CronJob } from '../../../types/kubernetes/generated/batch-v1.ts';
import type { Schedule } from './schedule.ts';

/** Beyond so many missed starts somebody is told: the clock may be off. */
const MANY = 100;
/** Clocks of nodes differ a little. */
const PADDING_MS = 100;

export interface Due {
  /** The latest start that has come and was not made; undefined when there is none. */
  readonly atMs: number | undefined;
  readonly manyMissed: boolean;
  /** Since when starts were looked for. */
  readonly sinceMs: number;
}

/** @throws LongshoreError `invalid` for a schedule that never comes */
export function dueStart(cronJob: CronJob, schedule: Schedule, nowMs: number, heedDeadline: boolean): Due {
  const { creationTimestamp } = cronJob.metadata!;
  const deadline = cronJob.spec!.startingDeadlineSeconds;
  let sinceMs = Date.parse(cronJob.status?.lastScheduleTime ?? creationTimestamp ?? '') || nowMs;
  if (heedDeadline && deadline !== undefined) sinceMs = Math.max(sinceMs, nowMs - deadline * 1000);
  const first = schedule.next(sinceMs);
  if (first === undefined) throw new LongshoreError('invalid', 'the schedule names no time that ever comes');
  if (nowMs < first) return { atMs: undefined, manyMissed: false, sinceMs };
  const second = schedule.next(first);
  if (second === undefined || nowMs < second) return { atMs: first, manyMissed: false, sinceMs };
  // Not every missed start is counted one by one: there may be millions, after a clock jumped.
  const interval = second - first;
  const missed = Math.floor((nowMs - first) / interval) + 1;
  let latest: number | undefined;
  for (let at = schedule.next(first + (missed - 2) * interval); at !== undefined && at <= nowMs; at = schedule.next(at)) latest = at;
  return { atMs: latest ?? first, manyMissed: missed > MANY, sinceMs };
}

/** Milliseconds until the next start. */
export function nextStartIn(cronJob: CronJob, schedule: Schedule, nowMs: number): number | undefined {
  const { atMs, sinceMs } = dueStart(cronJob, schedule, nowMs, false);
  const next = schedule.next(atMs ?? Math.max(sinceMs, 0));
  if (next === undefined) return undefined;
  const ahead = next > nowMs ? next : schedule.next(nowMs);
  return ahead === undefined ? undefined : ahead - nowMs + PADDING_MS;
}
