import type { Socket } from 'node:net';
import { LongshoreError, isErrno, messageOf } from '../../lib/errors.ts';
import { spawnProcess } from './spawn.ts';
import type { Spawned } from './spawn.ts';

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
  readonly pid: number;
  /** Resolves when conmon itself has ended. */
  readonly ended: Promise<void>;
  readonly #attachPipe: Socket | undefined;
  readonly #startPipe: Socket | undefined;
  readonly #reports: Report[] = [];
  readonly #waiting: ((report: Report | undefined) => void)[] = [];
  #reportsClosed = false;
  #stderr = '';

  private constructor(spawned: Spawned) {
    const [stderr, reports, attach, start] = spawned.pipes as [Socket, Socket, Socket?, Socket?];
    this.pid = spawned.pid;
    this.ended = spawned.ended.then(() => undefined);
    this.#attachPipe = attach;
    this.#startPipe = start;
    stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#stderr.length < LARGEST_COMPLAINT) this.#stderr += text;
    });
    this.#readReports(reports);
  }

  /** Starts conmon. @throws `unavailable` when it is missing */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const isExec = options.exec !== undefined;
    try {
      return new Supervisor(await spawnProcess({
        file: options.supervisor,
        args: argumentsOf(options),
        cwd: options.folder,
        env: {
          PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
          TZ: 'UTC0',
          _OCI_SYNCPIPE: '3',
          ...(isExec ? { _OCI_ATTACHPIPE: '4', _OCI_STARTPIPE: '5' } : {}),
        },
        stdio: isExec ? ['null', 'null', 'writes', 'writes', 'writes', 'reads'] : ['null', 'null', 'writes', 'writes'],
      }));
    } catch (error) {
      throw startFailure(options.supervisor, error);
    }
  }

  /** The next report; undefined when conmon closed the pipe. */
  async report(): Promise<Report | undefined> {
    const next = this.#reports.shift();
    if (next !== undefined || this.#reportsClosed) return next;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** For exec: conmon says that its attach socket is there, before it starts the process. False when it ended instead. */
  async attachReady(): Promise<boolean> {
    const pipe = this.#attachPipe;
    if (pipe === undefined) return false;
    return new Promise((resolve) => {
      pipe.once('data', () => resolve(true));
      pipe.once('close', () => resolve(false));
    });
  }

  /** For exec: lets conmon go on; first to begin at all, then to run the process. */
  go(): void {
    if (this.#startPipe?.destroyed === false) this.#startPipe.write('\n');
  }

  /** Lets go of the pipes that nothing more comes through. */
  release(): void {
    this.#attachPipe?.destroy();
    this.#startPipe?.destroy();
  }

  /** What conmon said on its standard error before it detached. */
  get complaints(): string {
    return this.#stderr.trim();
  }

  #readReports(pipe: Socket): void {
    let text = '';
    pipe.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        if (line !== '') this.#take(line);
      }
    });
    pipe.once('close', () => this.#close());
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

const LARGEST_COMPLAINT = 64 * 1024;

function startFailure(file: string, error: unknown): LongshoreError {
  if (isErrno(error, 'ENOENT')) {
    return new LongshoreError('unavailable', `the container supervisor ${file} can't be found`, {
      object: 'conmon',
      remedy: 'Install it: apt-get install conmon',
      cause: error,
    });
  }
  return new LongshoreError('internal', `the container supervisor ${file} did not start: ${messageOf(error)}`, { object: 'conmon', cause: error });
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
