import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { kill as killProcess } from 'node:process';
import type { Writable } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import type { Undo } from '../../lib/undo.ts';
import { processOf } from './exec-process.ts';
import { execFailure } from './messages.ts';
import { OutputPipes } from './output-pipes.ts';
import { removeTree } from './remove-tree.ts';
import type { ExecOptions, ExecSession, ExitStatus } from './runtime.ts';
import { becomeSubreaper, reap, reapOrphans, spawnProcess } from './spawn.ts';
import type { ExecContext } from './supervised-exec.ts';

type Listener = (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>;

/** How long output may still come after the end of a process, from children that it left behind, until nobody waits for more. */
const QUIET_MS = 100;
/** After so many times of that nobody will come any more for the output of a process that has ended. */
const FORGOTTEN_LOOKS = 100;

/**
 * Runs a process in a running container with pipes of ours as its streams: no supervisor, and no runtime, stands in between once it runs. The runtime
 * starts it and leaves; it becomes our child, since we are a subreaper. It does not outlive us for long: its pipes break.
 * @throws as the runtime says, when the program can't be started
 */
export async function startPipedExec(context: ExecContext, options: ExecOptions): Promise<ExecSession> {
  becomeSubreaper();
  const folder = `${context.folder}/${randomUUID().slice(0, 13)}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    await writeFile(`${folder}/process.json`, JSON.stringify(processOf(context.base, options)), { mode: 0o600 });
    const runtime = await spawnProcess({
      file: context.runtime,
      args: [...context.runtimeArgs, 'exec', '--detach', '--pid-file', `${folder}/pid`, '--process', `${folder}/process.json`, context.id],
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: [options.stdin ? 'reads' : 'null', 'writes', 'writes'],
    });
    const stdin = options.stdin ? runtime.pipes[0] : undefined;
    const output = new OutputPipes(...(runtime.pipes.slice(-2) as [Socket, Socket]));
    if ((await runtime.ended) !== 0) {
      stdin?.destroy();
      throw execFailure(context.id, await output.complaint());
    }
    const pid = Number.parseInt(await readFile(`${folder}/pid`, 'utf8'), 10);
    return new PipedExec(pid, { stdin, output }, context, options);
  } finally {
    await removeTree(folder);
  }
}

class PipedExec implements ExecSession {
  readonly pid: number;
  readonly stdin: Writable | undefined;
  readonly exit: Promise<ExitStatus>;
  readonly closed: Promise<void>;
  readonly #listeners = new Set<Listener>();
  readonly #output: OutputPipes;
  #ended = false;
  #reading = false;
  /** Pieces that listeners have not taken yet. */
  #held = 0;
  #lastPieceMs = 0;

  constructor(
    pid: number,
    streams: { readonly stdin: Socket | undefined; readonly output: OutputPipes },
    context: ExecContext,
    options: ExecOptions,
  ) {
    const { clock } = context;
    this.pid = pid;
    this.stdin = streams.stdin;
    this.#output = streams.output;
    this.closed = streams.output.closed;
    const onAbort = (): void => this.#signal(9);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted === true) onAbort();
    this.exit = reap(pid).then(async (code) => {
      this.#ended = true;
      const finishedMs = clock.now();
      options.signal?.removeEventListener('abort', onAbort);
      this.stdin?.destroy();
      this.#closeWhenQuiet(clock);
      if (this.#reading) await this.closed;
      await reapOrphans((orphan) => isInContainer(orphan, context.id));
      return { code, oomKilled: false, finishedMs };
    });
    this.exit.catch(() => undefined); // whoever is interested awaits it
  }

  onOutput(listener: Listener): Undo {
    this.#listeners.add(listener);
    if (!this.#reading) {
      this.#reading = true;
      this.#output.read((name, socket, data) => this.#deliver(name, socket, data));
    }
    return () => {
      this.#listeners.delete(listener);
    };
  }

  detach(): void {
    // What runs must be able to go on writing, though nobody looks.
    this.#listeners.clear();
    this.onOutput(() => undefined);
    this.stdin?.destroy();
  }

  resize(): Promise<void> {
    return Promise.resolve(); // it has no terminal
  }

  kill(signal: number): Promise<void> {
    if (this.#ended) return Promise.reject(new LongshoreError('conflict', 'the process has ended'));
    this.#signal(signal);
    return Promise.resolve();
  }

  #signal(signal: number): void {
    if (this.#ended) return;
    try {
      killProcess(this.pid, signal);
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error; // it ended a moment ago
    }
  }

  #deliver(name: 'stdout' | 'stderr', socket: Socket, data: Buffer): void {
    this.#lastPieceMs = performance.now();
    const pending: Promise<void>[] = [];
    for (const listener of this.#listeners) {
      const wait = listener(name, data);
      if (wait !== undefined) pending.push(wait);
    }
    if (pending.length === 0) return;
    this.#held++;
    socket.pause();
    void Promise.allSettled(pending).then(() => {
      this.#held--;
      socket.resume();
    });
  }

  /** Children that were left behind may hold the pipes for ever: nobody waits for them once all is read that was written. */
  #closeWhenQuiet(clock: Clock): void {
    let looks = 0;
    const look = (): void => {
      if (this.#output.destroyed) return;
      const quiet = this.#reading && this.#held === 0 && performance.now() - this.#lastPieceMs >= QUIET_MS;
      const forgotten = !this.#reading && ++looks >= FORGOTTEN_LOOKS;
      if (quiet || forgotten) this.#output.destroy();
      else clock.after(QUIET_MS, look);
    };
    clock.after(QUIET_MS, look);
  }
}

/** True for a process in the control group of a container. */
async function isInContainer(pid: number, id: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cgroup`, 'utf8')).includes(id);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}
