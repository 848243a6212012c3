import { spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import type { Home } from './home.ts';
import { launchOf } from './launch.ts';
import { assertNeeded } from './needed.ts';
import { lockHolder, makeHome } from './instance-lock.ts';
import { startTicksOf, type ProcessMark } from './process-mark.ts';
import { readStatus, type DaemonStatus } from './status.ts';

/** What a starting or stopping daemon tells whoever waits for it, one JSON object a line. */
export type DaemonNote =
  | { readonly phase: string; readonly ms: number }
  | { readonly ready: DaemonStatus }
  | { readonly done: true }
  | { readonly failed: { readonly code: string; readonly message: string; readonly object?: string; readonly remedy?: string } };

/** How long nothing may come from a daemon that stops: a pod's grace is 30 s by default. */
const DOWN_MS = 120_000;

/** How long a daemon that somebody else has started may take to be ready, in milliseconds. */
const OTHERS_MS = 30_000;

/** The descriptor on which a daemon that was started in the background reports. */
const NOTIFY_FD = 3;

export function controlSocket(home: Home): string {
  return join(home.run, 'control.sock');
}

/**
 * Starts the daemon in the background (its own session, output to the log) and resolves when it is ready.
 * A daemon that runs already is what is wanted, if it is of the same kind.
 * @param words the command that serves, and its flags
 * @throws LongshoreError what the daemon said when it failed, `unavailable` when a program that it needs is missing, `conflict` when one of the other kind runs
 */
export async function startDaemon(
  home: Home,
  entry: readonly string[],
  environment: Readonly<Record<string, string>>,
  onPhase: (name: string, ms: number) => void,
  words: readonly string[] = ['server'],
): Promise<{ readonly status: DaemonStatus; readonly started: boolean }> {
  const running = await readStatus(home);
  if (running) {
    if ((running.node === undefined) === (words[0] === 'server')) return { status: running, started: false };
    throw new LongshoreError(
      'conflict',
      running.node === undefined
        ? `a whole platform runs in ${home.root}, which has its own node`
        : `a node of another cluster (${running.node}) runs in ${home.root}`,
      { object: `home ${home.root}`, remedy: 'Set LONGSHORE_HOME to another folder, or first: longshore down' },
    );
  }
  await assertNeeded();
  await makeHome(home);
  await using log = await open(home.daemonLog, 'a', 0o600);
  const launch = launchOf([...entry, ...words], { ...process.env, ...environment, LONGSHORE_HOME: home.root, LONGSHORE_NOTIFY: '1' }, process.execArgv);
  const child = spawn(process.execPath, launch.args, {
    detached: true,
    cwd: '/',
    env: launch.environment,
    stdio: ['ignore', log.fd, log.fd, 'pipe'],
  });
  const exited = new Promise<number | null>((resolve, reject) => child.once('exit', resolve).once('error', reject));
  try {
    for await (const note of notes(child.stdio[NOTIFY_FD] as Readable)) {
      if ('phase' in note) {
        onPhase(note.phase, note.ms);
      } else if ('failed' in note && note.failed.code === 'conflict' && (await lockHolder(home)) !== undefined) {
        return { status: await othersStatus(home, note.failed), started: false };
      } else if ('failed' in note) {
        throw new LongshoreError(note.failed.code as 'internal', note.failed.message, note.failed);
      } else if ('ready' in note) {
        return { status: note.ready, started: true };
      }
    }
    const code = await exited;
    throw new LongshoreError('internal', `the daemon ended (exit code ${code}) before it was ready: ${await lastLines(home.daemonLog)}`, {
      object: `home ${home.root}`,
      remedy: 'See the log: longshore logs',
    });
  } finally {
    child.unref();
    (child.stdio[NOTIFY_FD] as Readable).destroy();
  }
}

/**
 * Another `up` came first: what it starts is what is wanted.
 * @throws LongshoreError what the daemon said that found it there, when nothing comes of the other
 */
async function othersStatus(home: Home, failed: { readonly message: string; readonly object?: string; readonly remedy?: string }): Promise<DaemonStatus> {
  for (const until = performance.now() + OTHERS_MS; performance.now() < until; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const status = await readStatus(home);
    if (status) return status;
    if ((await lockHolder(home)) === undefined) break;
  }
  throw new LongshoreError('conflict', failed.message, failed);
}

async function* notes(stream: Readable): AsyncGenerator<DaemonNote> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (line !== '') yield JSON.parse(line) as DaemonNote;
  }
}

async function lastLines(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trimEnd().split('\n').slice(-3).join(' | ');
}

/**
 * Asks the running daemon to stop itself and everything it runs. One that does not listen (it is starting, or half of it
 * is gone) is ended; `cleanInstance` takes away what it leaves.
 * @returns false when no daemon runs
 */
export async function stopDaemon(home: Home, onPhase: (name: string, ms: number) => void): Promise<boolean> {
  // A status that can't be read is no reason not to stop.
  const running = (await readStatus(home).catch(() => undefined)) ?? (await lockHolder(home));
  if (!running) return false;
  const answer = await askDown(home, running);
  if (answer === undefined) {
    try {
      process.kill(running.pid, 'SIGTERM');
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error; // it has ended meanwhile
    }
  } else {
    for await (const note of notes(answer)) {
      if ('phase' in note) onPhase(note.phase, note.ms);
      if ('failed' in note) {
        await waitForEnd(running);
        throw new LongshoreError(note.failed.code as 'internal', note.failed.message, note.failed);
      }
    }
  }
  await waitForEnd(running);
  await rm(home.statusFile, { force: true });
  return true;
}

/** Its answer, line by line; undefined when nobody listens. */
function askDown(home: Home, { pid }: ProcessMark): Promise<Readable | undefined> {
  return new Promise((resolve, reject) => {
    const down = request({ socketPath: controlSocket(home), method: 'POST', path: '/down', timeout: DOWN_MS }, resolve);
    down.on('timeout', () =>
      down.destroy(
        new LongshoreError('timeout', `the daemon (pid ${pid}) did not stop within ${DOWN_MS / 1000} s`, {
          object: `home ${home.root}`,
          remedy: `See why: longshore logs. To end it: kill -9 ${pid}, then longshore down.`,
        }),
      ),
    );
    down
      .on('error', (error) =>
        isErrno(error, 'ENOENT') || isErrno(error, 'ECONNREFUSED')
          ? resolve(undefined)
          : reject(
              isErrno(error, 'EACCES')
                ? new LongshoreError('forbidden', `the daemon of ${home.root} (pid ${pid}) listens to root alone`, {
                    object: `home ${home.root}`,
                    remedy: 'Run it as root: sudo longshore down',
                    cause: error,
                  })
                : error,
            ),
      )
      .end();
  });
}

/** How long a daemon that has stopped everything may take to end, in milliseconds. */
const END_MS = 5000;

/** Until the process is gone; one that does not go is ended. */
async function waitForEnd({ pid, startTicks }: ProcessMark): Promise<void> {
  for (const until = performance.now() + END_MS; performance.now() < until; await new Promise((resolve) => setTimeout(resolve, 20))) {
    if ((await startTicksOf(pid)) !== startTicks) return;
  }
  process.kill(pid, 'SIGKILL');
}

/** The daemon's end of NOTIFY_FD; undefined when nobody waits. */
export async function openNotify(): Promise<((note: DaemonNote) => Promise<void>) | undefined> {
  if (process.env.LONGSHORE_NOTIFY !== '1') return undefined;
  delete process.env.LONGSHORE_NOTIFY;
  const { write } = await import('node:fs');
  return (note) =>
    new Promise((resolve) => {
      write(NOTIFY_FD, JSON.stringify(note) + '\n', (error) => {
        // Whoever started us may have gone; that is no reason to stop.
        if (error && !isErrno(error, 'EPIPE') && !isErrno(error, 'EBADF')) {
          process.stderr.write(`could not report progress: ${error.message}\n`);
        }
        resolve();
      });
    });
}

