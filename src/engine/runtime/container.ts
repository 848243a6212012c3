import { readFile, stat } from 'node:fs/promises';
import { kill as killProcess } from 'node:process';
import type { Cgroups, Spawner } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError, isErrno, messageOf } from '../../lib/errors.ts';
import { Attachment } from './attach.ts';
import { reopenLog, resizeTerminal } from './control.ts';
import { startExec } from './exec.ts';
import type { Gate } from './gate.ts';
import { openGate } from './go-fifo.ts';
import { createFailure } from './messages.ts';
import { removeTree } from './remove-tree.ts';
import type { AttachedStreams, ExecOptions, ExecSession, ExitStatus, OciSpec, RuntimeContainer } from './runtime.ts';

const SIGKILL = 9;
/** How long a container that was sent SIGKILL may take to end before removal gives up on it. */
const KILL_WAIT_MS = 10_000;

/** The part of the host that containers need here. */
export interface RuntimeHost {
  readonly spawn: Pick<Spawner, 'run'>;
  readonly cgroups: Pick<Cgroups, 'processes' | 'remove' | 'usage' | 'freeze'>;
}

export interface ContainerParts {
  readonly id: string;
  readonly bundle: string;
  readonly spec: OciSpec;
  readonly pid: number | undefined;
  /** Resolves when the supervisor has ended; the exit code then lies on disk. */
  readonly supervisorEnded: Promise<void>;
  readonly runtimePath: string;
  readonly runtimeRoot: string;
  readonly supervisorPath: string;
  readonly execFolder: string;
  /** True for runc and what keeps its state as runc does. */
  readonly opensGate: boolean;
  readonly gate: Gate;
  readonly host: RuntimeHost;
  readonly clock: Clock;
}

/** A container under its supervisor, made by this daemon or an earlier one. */
export class SupervisedContainer implements RuntimeContainer {
  readonly id: string;
  readonly exit: Promise<ExitStatus>;
  #pid: number | undefined;
  #ended = false;
  #paused = false;
  readonly #parts: ContainerParts;

  constructor(parts: ContainerParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#pid = parts.pid;
    this.exit = parts.supervisorEnded.then(async () => {
      this.#pid = undefined;
      const status = await this.#readExit();
      this.#ended = true;
      return status;
    });
    this.exit.catch(() => undefined); // whoever is interested awaits it
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get #cgroup(): string | undefined {
    const path = (this.#parts.spec['linux'] as { cgroupsPath?: string } | undefined)?.cgroupsPath;
    return path?.replace(/^\//, '');
  }

  async start(): Promise<void> {
    const { runtimePath, runtimeRoot, host, opensGate } = this.#parts;
    if (opensGate) {
      await openGate(`${runtimeRoot}/${this.id}`, this.exit);
      return;
    }
    const result = await host.spawn.run(runtimePath, [`--root=${runtimeRoot}`, 'start', this.id]);
    if (result.code !== 0) throw createFailure(this.id, result.stderr);
  }

  async kill(signal: number, all = false): Promise<void> {
    const pid = this.#pid;
    if (pid === undefined) {
      throw new LongshoreError('conflict', `container ${this.id.slice(0, 12)} is not running`, {
        object: `container ${this.id.slice(0, 12)}`,
      });
    }
    const pids = all && this.#cgroup !== undefined ? await this.#parts.host.cgroups.processes(this.#cgroup) : [pid];
    for (const each of pids) {
      try {
        killProcess(each, signal);
      } catch (error) {
        if (!isErrno(error, 'ESRCH')) throw error; // it ended a moment ago
      }
    }
    // A frozen process on cgroup v1 dies only once it is thawed.
    if (signal === SIGKILL && this.#paused) await this.resume();
  }

  async pause(): Promise<void> {
    if (this.#cgroup === undefined) return;
    await this.#parts.host.cgroups.freeze(this.#cgroup, true);
    this.#paused = true;
  }

  async resume(): Promise<void> {
    if (this.#cgroup === undefined) return;
    await this.#parts.host.cgroups.freeze(this.#cgroup, false);
    this.#paused = false;
  }

  attach(): Promise<AttachedStreams> {
    // Async by contract; connecting itself returns at once.
    return Promise.resolve().then(() => {
      try {
        return new Attachment(this.#parts.bundle, { stdin: true });
      } catch (error) {
        throw new LongshoreError('conflict', `container ${this.id.slice(0, 12)} can't be attached to: its supervisor has ended`, {
          object: `container ${this.id.slice(0, 12)}`,
          cause: error,
        });
      }
    });
  }

  async resize(columns: number, rows: number): Promise<void> {
    await resizeTerminal(this.#parts.bundle, columns, rows);
  }

  async reopenLog(): Promise<void> {
    await reopenLog(this.#parts.bundle);
  }

  async exec(options: ExecOptions): Promise<ExecSession> {
    if (this.#pid === undefined) {
      throw new LongshoreError('conflict', `container ${this.id.slice(0, 12)} is not running`, {
        object: `container ${this.id.slice(0, 12)}`,
      });
    }
    return this.#parts.gate.through(() =>
      startExec(
        {
          id: this.id,
          supervisor: this.#parts.supervisorPath,
          runtime: this.#parts.runtimePath,
          runtimeArgs: [`--root=${this.#parts.runtimeRoot}`],
          folder: this.#parts.execFolder,
          base: this.#parts.spec['process'] as Readonly<Record<string, unknown>>,
          clock: this.#parts.clock,
        },
        options,
      ),
    );
  }

  async remove(): Promise<void> {
    if (!this.#ended && this.#pid !== undefined) {
      await this.kill(SIGKILL).catch((error: unknown) => {
        if (!(error instanceof LongshoreError)) throw error; // ended meanwhile
      });
      const late = new AbortController();
      await Promise.race([this.exit, this.#parts.clock.sleep(KILL_WAIT_MS, late.signal).catch(() => undefined)]);
      late.abort(new Error('it ended'));
      if (!this.#ended) {
        throw new LongshoreError('timeout', `container ${this.id.slice(0, 12)} did not end within ${KILL_WAIT_MS / 1000} s of SIGKILL`, {
          object: `container ${this.id.slice(0, 12)}`,
        });
      }
    }
    // What `runc delete` does for a container that has ended: its cgroups and its state folder.
    if (this.#cgroup !== undefined) await this.#parts.host.cgroups.remove(this.#cgroup);
    await removeTree(`${this.#parts.runtimeRoot}/${this.id}`);
  }

  async #readExit(): Promise<ExitStatus> {
    const path = `${this.#parts.bundle}/${this.id}`;
    try {
      const [text, info] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
      const code = Number.parseInt(text, 10);
      const oomKilled = code !== 0 && (await this.#wasOomKilled());
      return { code, oomKilled, finishedMs: Math.round(info.mtimeMs) };
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) {
        throw new LongshoreError('internal', `the exit code of ${this.id.slice(0, 12)} can't be read: ${messageOf(error)}`, {
          cause: error,
        });
      }
    }
    // The supervisor itself was killed. Nobody holds the streams of what it ran: end it as well.
    if (this.#cgroup !== undefined) {
      for (const pid of await this.#parts.host.cgroups.processes(this.#cgroup)) {
        try {
          killProcess(pid, SIGKILL);
        } catch (failure) {
          if (!isErrno(failure, 'ESRCH')) throw failure;
        }
      }
    }
    return { code: 137, oomKilled: false, finishedMs: this.#parts.clock.now() };
  }

  async #wasOomKilled(): Promise<boolean> {
    if (this.#cgroup === undefined) return false;
    const usage = await this.#parts.host.cgroups.usage(this.#cgroup);
    return (usage?.oomKills ?? 0) > 0;
  }
}
