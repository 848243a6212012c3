import { mkdir, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { kill as killProcess } from 'node:process';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import type { Undo } from '../../lib/undo.ts';
import { Attachment } from './attach.ts';
import { resizeTerminal } from './control.ts';
import { processOf } from './exec-process.ts';
import { execFailure } from './messages.ts';
import { removeTree } from './remove-tree.ts';
import type { ExecOptions, ExecSession, ExitStatus } from './runtime.ts';
import { Supervisor } from './supervisor.ts';

export interface ExecContext {
  readonly id: string;
  readonly supervisor: string;
  readonly runtime: string;
  readonly runtimeArgs: readonly string[];
  /** Folder of this runtime for short-lived things; a folder per session is made in it. */
  readonly folder: string;
  /** `process` of the container's own config.json. */
  readonly base: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
}

/**
 * Runs a process in a running container under a supervisor of its own: one with a terminal, or one that is to outlive this daemon.
 * @throws as the runtime says, when the program can't be started
 */
export async function startSupervisedExec(context: ExecContext, options: ExecOptions): Promise<ExecSession> {
  options.signal?.throwIfAborted();
  const folder = `${context.folder}/${randomUUID().slice(0, 13)}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const cleanUp = (): Promise<void> => removeTree(folder);
  let attachment: Attachment | undefined;
  try {
    await writeFile(`${folder}/process.json`, JSON.stringify(processOf(context.base, options)), { mode: 0o600 });
    const supervisor = await Supervisor.start({
      supervisor: context.supervisor,
      runtime: context.runtime,
      runtimeArgs: context.runtimeArgs,
      id: context.id,
      folder,
      logPath: undefined,
      terminal: options.terminal,
      stdin: options.stdin,
      leaveStdinOpen: false,
      exec: { processFile: `${folder}/process.json` },
    });
    supervisor.go();
    if (await supervisor.attachReady()) attachment = new Attachment(folder, { stdin: options.stdin });
    supervisor.go();
    const report = await supervisor.report();
    supervisor.release();
    if (report === undefined || report.data < 0 || attachment === undefined) {
      await supervisor.ended;
      throw execFailure(context.id, report?.message ?? supervisor.complaints);
    }
    return new Exec(supervisor, attachment, report.data, folder, context.clock, options, cleanUp);
  } catch (error) {
    attachment?.detach();
    await cleanUp();
    throw error;
  }
}

class Exec implements ExecSession {
  readonly exit: Promise<ExitStatus>;
  readonly stdin: ExecSession['stdin'];
  readonly closed: Promise<void>;
  readonly pid: number;
  #ended = false;
  readonly #attachment: Attachment;
  readonly #folder: string;

  constructor(supervisor: Supervisor, attachment: Attachment, pid: number, folder: string, clock: Clock, options: ExecOptions, cleanUp: () => Promise<void>) {
    this.#attachment = attachment;
    this.pid = pid;
    this.#folder = folder;
    this.stdin = attachment.stdin;
    this.closed = attachment.closed;
    const onAbort = (): void => {
      void this.kill(9).catch(() => undefined); // it has ended already
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted === true) onAbort();
    this.exit = (async () => {
      const report = await supervisor.report();
      this.#ended = true;
      const finishedMs = clock.now();
      await supervisor.ended;
      options.signal?.removeEventListener('abort', onAbort);
      await cleanUp();
      // A supervisor that was killed leaves no code: what it ran was ended by a signal.
      return { code: report?.data ?? 137, oomKilled: false, finishedMs };
    })();
    // Whoever is interested awaits it; nobody has to.
    this.exit.catch(() => undefined);
  }

  onOutput(listener: (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>): Undo {
    return this.#attachment.onOutput(listener);
  }

  detach(): void {
    this.#attachment.detach();
  }

  async resize(columns: number, rows: number): Promise<void> {
    if (!this.#ended) await resizeTerminal(this.#folder, columns, rows);
  }

  async kill(signal: number): Promise<void> {
    if (this.#ended) throw new LongshoreError('conflict', 'the process has ended');
    try {
      killProcess(this.pid, signal);
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error;
    }
  }
}
