import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { LongshoreError, isErrno } from '../../lib/errors.ts';

/**
 * conmon, the supervisor: one small C process per container (about 1 MiB) that outlives the daemon. It starts the OCI runtime,
 * holds standard input and output, writes the log, serves `attach`, and writes the exit code to a file.
 * Its options and pipes are as in conmon(8); version 2.1.6 or later.
 */
export interface SupervisorOptions {
  readonly supervisor: string;
  readonly runtime: string;
  /** Global options of the runtime, as in `--root=…`. */
  readonly runtimeArgs: readonly string[];
  readonly id: string;
  /** Where sockets, fifos and pid files go; its working directory. */
  readonly folder: string;
  readonly logPath: string | undefined;
  readonly logMaxBytes?: number;
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly leaveStdinOpen: boolean;
  /** Runs a process in a container that is there, instead of a container. */
  readonly exec?: { readonly processFile: string };
}

/** A line that conmon sends: a pid, an exit code, or -1 with a reason. */
interface Report {
  readonly data: number;
  readonly message?: string;
}

/** conmon as our child. Only the reports' pipes bind it to us; it goes on when we end. */
export class Supervisor {
  readonly child: ChildProcess;
  /** Resolves when conmon itself has ended. */
  readonly ended: Promise<void>;
  readonly #reports: Report[] = [];
  readonly #waiting: ((report: Report | undefined) => void)[] = [];
  #reportsClosed = false;
  #stderr = '';
  #spawnError: Error | undefined;

  constructor(options: SupervisorOptions) {
    const isExec = options.exec !== undefined;
    this.child = spawn(options.supervisor, argumentsOf(options), {
      cwd: options.folder,
      detached: true, // a session of its own: Ctrl-C at our terminal is not for it
      stdio: isExec ? ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe'] : ['ignore', 'ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        TZ: 'UTC0',
        _OCI_SYNCPIPE: '3',
        ...(isExec ? { _OCI_ATTACHPIPE: '4', _OCI_STARTPIPE: '5' } : {}),
      },
    });
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.#spawnError = error;
        this.#close();
        resolve();
      });
      this.child.once('exit', () => resolve());
    });
    this.child.unref();
    if (this.child.pid === undefined) return;
    const stderr = this.child.stdio[2] as Readable;
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      if (this.#stderr.length < 64 * 1024) this.#stderr += text;
    });
    stderr.on('error', () => undefined); // conmon closes its end when it has settled
    unref(stderr);
    this.#readReports(this.child.stdio[3] as Readable);
    if (isExec) {
      for (const stream of [this.child.stdio[4] as Readable, pipeOf(this.child, 5)]) {
        stream.on('error', () => undefined); // its end is told by the reports
        unref(stream);
      }
      (this.child.stdio[4] as Readable).resume();
    }
  }

  /** The next report; undefined when conmon closed the pipe. @throws `unavailable` when conmon is missing */
  async report(): Promise<Report | undefined> {
    const next = this.#reports.shift();
    if (next === undefined && !this.#reportsClosed) {
      const late = await new Promise<Report | undefined>((resolve) => this.#waiting.push(resolve));
      if (late !== undefined) return late;
    }
    if (next === undefined && this.#spawnError !== undefined) throw spawnFailure(this.child.spawnfile, this.#spawnError);
    return next;
  }

  /** For exec: conmon says that its attach socket is there, before it starts the process. */
  async attachReady(): Promise<void> {
    const pipe = this.child.stdio[4] as Readable | undefined;
    if (this.child.pid === undefined || pipe === undefined || pipe === null) return;
    await new Promise<void>((resolve) => {
      pipe.once('data', () => resolve());
      pipe.once('close', () => resolve());
    });
  }

  /** For exec: lets conmon go on; first to begin at all, then to run the process. */
  go(): void {
    if (this.child.pid !== undefined) pipeOf(this.child, 5).write('\n');
  }

  /** What conmon said on its standard error before it detached. */
  get complaints(): string {
    return this.#stderr.trim();
  }

  #readReports(pipe: Readable): void {
    let text = '';
    pipe.setEncoding('utf8');
    pipe.on('data', (piece: string) => {
      text += piece;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        if (line !== '') this.#take(line);
      }
    });
    pipe.on('error', () => this.#close());
    pipe.on('close', () => this.#close());
    unref(pipe);
  }

  #take(line: string): void {
    let report: Report;
    try {
      report = JSON.parse(line) as Report;
    } catch {
      report = { data: -1, message: line }; // a control character that conmon left unescaped: show the line as it is
    }
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting(report);
    else this.#reports.push(report);
  }

  #close(): void {
    this.#reportsClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }
}

/** Node's types end at the fifth descriptor; the array does not. */
function pipeOf(child: ChildProcess, descriptor: number): Writable {
  return (child.stdio as unknown as readonly Writable[])[descriptor]!;
}

function unref(stream: unknown): void {
  (stream as { unref?: () => void }).unref?.();
}

function spawnFailure(file: string, error: Error): LongshoreError {
  if (isErrno(error, 'ENOENT')) {
    return new LongshoreError('unavailable', `the container supervisor ${file} is not installed`, { object: 'conmon', remedy: 'Install it: apt-get install conmon', cause: error });
  }
  return new LongshoreError('internal', `the container supervisor ${file} did not start: ${error.message}`, { object: 'conmon', cause: error });
}

function argumentsOf(options: SupervisorOptions): string[] {
  const args = [
    '--sync', // stay our child: no second fork
    '--api-version', '1',
    '--cid', options.id,
    '--cuuid', options.id,
    '--bundle', options.folder,
    '--runtime', options.runtime,
    '--exit-dir', options.folder,
    '--container-pidfile', `${options.folder}/pid`,
    '--full-attach',
    '--no-sync-log', // the kernel keeps the log's pages; an fsync at each exit is paid by everybody
    '--log-path', options.logPath === undefined ? 'none' : `k8s-file:${options.logPath}`,
  ];
  for (const arg of options.runtimeArgs) args.push('--runtime-arg', arg);
  if (options.logMaxBytes !== undefined) args.push('--log-size-max', String(options.logMaxBytes));
  if (options.terminal) args.push('--terminal');
  if (options.stdin) args.push('--stdin');
  if (options.stdin && options.leaveStdinOpen) args.push('--leave-stdin-open');
  if (options.exec !== undefined) args.push('--exec', '--exec-attach', '--exec-process-spec', options.exec.processFile);
  return args;
}
