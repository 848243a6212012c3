import type { Context } from './context.ts';
import { notRunning } from './context.ts';
import type { Entry } from './entry.ts';

const SIGKILL = 9;
const SIGTERM = 15;
const DEFAULT_TIMEOUT_SECONDS = 10;
/** How long after SIGKILL the end is waited for; a process in the kernel's uninterruptible sleep outlasts any signal. */
const KILL_WAIT_MS = 10_000;

/** Stop signal, then SIGKILL when the time is over (negative: never). Returns when the end is noted. Not running: nothing happens. */
export async function stopEntry(context: Context, entry: Entry, options: { readonly timeoutSeconds?: number; readonly signal?: number } = {}): Promise<void> {
  if (cancelRestart(entry)) {
    await noteStopped(entry);
    return;
  }
  const { run } = entry;
  if (run === undefined) return;
  entry.change({ stoppedByUser: true });
  const signal = options.signal ?? entry.spec.stopSignal ?? SIGTERM;
  const seconds = options.timeoutSeconds ?? entry.spec.stopTimeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  await send(context, entry, signal);
  if (entry.state.status === 'paused') await run.runtime.resume(); // a frozen process takes no signal
  if (seconds < 0) {
    await run.noted;
  } else if (!(await endsWithin(context, run.noted, seconds * 1000))) {
    await send(context, entry, SIGKILL);
    if (!(await endsWithin(context, run.noted, KILL_WAIT_MS))) {
      context.logger.warn('a container does not end after SIGKILL', { container: entry.short });
    }
  }
  context.emit(entry, 'stop');
}

/** Sends a signal to the first process. @throws `conflict` when it does not run */
export async function killEntry(context: Context, entry: Entry, signal: number): Promise<void> {
  if (cancelRestart(entry)) {
    await noteStopped(entry);
    return;
  }
  const { run } = entry;
  if (run === undefined) throw notRunning(entry);
  // As Docker: to end it with this signal is to stop it, and its policy does not bring it back.
  const ends = signal === SIGKILL || signal === (entry.spec.stopSignal ?? SIGTERM);
  if (ends) entry.change({ stoppedByUser: true });
  await send(context, entry, signal);
  if (signal === SIGKILL) await endsWithin(context, run.noted, KILL_WAIT_MS);
}

async function send(context: Context, entry: Entry, signal: number): Promise<void> {
  const { run } = entry;
  if (run === undefined || run.runtime.pid === undefined) return; // it ended meanwhile
  await run.runtime.kill(signal);
  context.emit(entry, 'kill', { signal: String(signal) });
}

/** True when the container was between two runs; the next one is called off. */
function cancelRestart(entry: Entry): boolean {
  if (entry.state.status !== 'restarting') return false;
  entry.cancelRestart?.();
  entry.cancelRestart = undefined;
  return true;
}

async function noteStopped(entry: Entry): Promise<void> {
  entry.change({ status: 'exited', stoppedByUser: true });
  await entry.save();
  entry.tell('exit');
}

async function endsWithin(context: Context, end: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([end.then(() => true), context.clock.sleep(ms, timer.signal).then(() => false)]);
  } finally {
    timer.abort(new Error('the container has ended'));
  }
}
