import { messageOf } from '../../lib/errors.ts';
import type { Container, HealthSpec } from './containers.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { execIn } from './exec.ts';

type Health = NonNullable<Container['health']>;
type Result = Health['log'][number];

/** How many results `docker inspect` shows, and how much of a check's output. */
const KEPT_RESULTS = 5;
const KEPT_OUTPUT_BYTES = 4096;
const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const LONGEST_START_MS = 30_000;
const DEFAULT_START_INTERVAL_MS = 5000;
const DEFAULT_RETRIES = 3;

/** Begins to check a container's health, as its HEALTHCHECK says, until its run ends. */
export function startHealthChecks(context: Context, entry: Entry): void {
  const spec = entry.spec.health;
  if (spec === undefined || spec.test.length === 0 || spec.test[0] === 'NONE') return;
  const stop = new AbortController();
  let cancel: (() => void) | undefined;
  entry.stopHealth = () => {
    stop.abort(new Error('the container has ended'));
    cancel?.();
    entry.stopHealth = undefined;
  };
  entry.setHealth({ status: 'starting', failingStreak: 0, log: [] });
  const startedMs = context.clock.now();
  const next = (): void => {
    const starting = entry.health?.status === 'starting' && context.clock.now() - startedMs < spec.startPeriodMs;
    cancel = context.clock.after(starting ? spec.startIntervalMs || DEFAULT_START_INTERVAL_MS : spec.intervalMs || DEFAULT_INTERVAL_MS, () => {
      void check(context, entry, spec, stop.signal).then((result) => {
        if (stop.signal.aborted) return;
        note(context, entry, spec, result, startedMs);
        next();
      });
    });
  };
  next();
}

/** Runs the check once. Never rejects: a check that can't be run has failed. */
async function check(context: Context, entry: Entry, spec: HealthSpec, stop: AbortSignal): Promise<Result> {
  const startMs = context.clock.now();
  const [kind, ...rest] = spec.test;
  const args = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', rest.join(' ')] : kind === 'CMD' ? rest : spec.test;
  const timeoutMs = spec.timeoutMs || DEFAULT_TIMEOUT_MS;
  const timeout = new AbortController();
  // A check's own time begins with its process: how long that takes to start says nothing about the container's health.
  let cancelTimeout = context.clock.after(LONGEST_START_MS, () =>
    timeout.abort(new Error(`its process did not start within ${durationText(LONGEST_START_MS)}`)),
  );
  try {
    const session = await execIn(context, entry, { args, terminal: false, stdin: false, signal: AbortSignal.any([stop, timeout.signal]) });
    cancelTimeout();
    cancelTimeout = context.clock.after(timeoutMs, () => timeout.abort(new Error('timeout')));
    let output = '';
    session.onOutput((_stream, data) => {
      if (output.length < KEPT_OUTPUT_BYTES) output += data.toString('utf8').slice(0, KEPT_OUTPUT_BYTES - output.length);
    });
    const exit = await session.exit;
    if (timeout.signal.aborted) {
      return {
        startMs,
        endMs: context.clock.now(),
        exitCode: -1,
        output: `Health check exceeded timeout (${durationText(timeoutMs)}): ${output}`,
      };
    }
    return { startMs, endMs: exit.finishedMs, exitCode: exit.code, output };
  } catch (error) {
    return { startMs, endMs: context.clock.now(), exitCode: -1, output: messageOf(error) };
  } finally {
    cancelTimeout();
  }
}

function note(context: Context, entry: Entry, spec: HealthSpec, result: Result, startedMs: number): void {
  const before = entry.health ?? { status: 'starting', failingStreak: 0, log: [] };
  const log = [...before.log, result].slice(-KEPT_RESULTS);
  let { status, failingStreak } = before;
  if (result.exitCode === 0) {
    status = 'healthy';
    failingStreak = 0;
  } else if (status !== 'starting' || result.startMs - startedMs >= spec.startPeriodMs) {
    // Failures within the start period don't count, until a check has succeeded once.
    failingStreak++;
    if (failingStreak >= (spec.retries || DEFAULT_RETRIES)) status = 'unhealthy';
  }
  entry.setHealth({ status, failingStreak, log });
  if (status !== before.status) context.emit(entry, `health_status: ${status}`);
}

/** A duration as Go writes it: 50ms, 1.5s, 1m30s. */
export function durationText(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1e6) / 1000}µs`;
  if (ms < 1000) return `${ms}ms`;
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.round(ms % 60_000) / 1000];
  return `${hours > 0 ? `${hours}h` : ''}${ms >= 60_000 ? `${minutes}m` : ''}${seconds}s`;
}
