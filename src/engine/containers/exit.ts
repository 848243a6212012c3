import { messageOf } from '../../lib/errors.ts';
import type { ExitStatus, RuntimeContainer } from '../runtime/runtime.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { rotateLogs } from './log-rotation.ts';
import { removeEntry } from './remove.ts';
import { tidy } from './tidy.ts';

/** Back-off between restarts: from 100 ms, doubling, up to a minute; from the start again after a run of 10 s. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
const GOOD_RUN_MS = 10_000;

/** Takes a run into the entry and has its end handled. Also for a run that an earlier daemon began. */
export function watch(context: Context, entry: Entry, runtime: RuntimeContainer, netns: string | undefined): void {
  const noted = runtime.exit.then((status) => onExit(context, entry, runtime, status));
  noted.catch((error: unknown) => context.logger.error('the end of a container was not noted', { container: entry.short, error: messageOf(error) }));
  entry.run = { runtime, netns, noted };
  const stopRotation = rotateLogs(context, entry);
  void runtime.exit.then(stopRotation, stopRotation);
}

/** Handles the end of a run: notes it, tells those who wait, tidies up, and restarts or removes as the container's spec says. */
async function onExit(context: Context, entry: Entry, runtime: RuntimeContainer, status: ExitStatus): Promise<void> {
  await entry.exclusive(async () => {
    if (entry.run?.runtime !== runtime) return;
    entry.run = undefined;
    entry.stopHealth?.();
    const startedMs = entry.state.startedMs ?? status.finishedMs;
    const again = wantsRestart(entry, status);
    const { endpoints } = entry.state;
    entry.change({ status: again ? 'restarting' : 'exited', pid: undefined, exit: status, endpoints: [] });
    if (status.oomKilled) context.emit(entry, 'oom');
    context.emit(entry, 'die', { exitCode: String(status.code), execDuration: String(Math.max(0, Math.floor((status.finishedMs - startedMs) / 1000))) });
    // On disk before anybody is told: an exit code that was seen is never lost.
    const gone = entry.spec.autoRemove && !again;
    if (!gone) await entry.save().catch((error: unknown) => {
      // The supervisor's file still has the code: the next daemon reads it there.
      context.logger.error('the state of a container was not written', { container: entry.short, error: messageOf(error) });
    });
    entry.tidying = tidyAfter(context, entry, runtime, endpoints);
    context.background(`tidying ${entry.short}`, entry.tidying);
    if (gone) await removeEntry(context, entry, { volumes: true });
    else entry.tell('exit');
    if (again) scheduleRestart(context, entry, status.finishedMs - startedMs);
  });
}

async function tidyAfter(context: Context, entry: Entry, runtime: RuntimeContainer, endpoints: Entry['state']['endpoints']): Promise<void> {
  // Networks that were joined while it ran are not in its spec.
  for (const endpoint of endpoints) await context.networks.disconnect(endpoint.networkId, entry.id);
  await tidy(context, entry, runtime);
}

function wantsRestart(entry: Entry, status: ExitStatus): boolean {
  const { restart } = entry.spec;
  if (entry.state.stoppedByUser || entry.spec.autoRemove) return false;
  if (restart.name === 'always' || restart.name === 'unless-stopped') return true;
  if (restart.name !== 'on-failure' || status.code === 0) return false;
  const limit = restart.maximumRetryCount ?? 0;
  return limit === 0 || entry.state.restartCount < limit;
}

/**
 * Starts the container again after its back-off.
 * @param ranMs how long the last run was
 * @param counts false for a start that follows the daemon's, not a failure
 */
export function scheduleRestart(context: Context, entry: Entry, ranMs: number, counts = true): void {
  if (ranMs >= GOOD_RUN_MS) entry.quickExits = 0;
  const delay = Math.min(FIRST_DELAY_MS * 2 ** entry.quickExits++, LONGEST_DELAY_MS);
  const cancel = context.clock.after(delay, () => {
    entry.cancelRestart = undefined;
    context.background(`restarting ${entry.short}`, entry.exclusive(async () => {
      if (entry.removed || entry.state.status !== 'restarting' || entry.state.stoppedByUser) return;
      if (counts) entry.change({ restartCount: entry.state.restartCount + 1 });
      try {
        await context.startAgain(entry);
      } catch (error) {
        context.logger.warn('a container was not restarted', { container: entry.short, error: messageOf(error) });
        entry.tell('exit');
      }
    }));
  });
  entry.cancelRestart = cancel;
}
