import { access, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { availableParallelism } from 'node:os';
import { SupervisedContainer } from './container.ts';
import type { RuntimeHost } from './container.ts';
import { refuseWorkingDirectory } from './cwd.ts';
import { Gate } from './gate.ts';
import { createFailure } from './messages.ts';
import { removeTree } from './remove-tree.ts';
import { watchProcess } from './seqpacket.ts';
import { Supervisor } from './supervisor.ts';
import type { CreateOptions, OciSpec, Runtime, RuntimeContainer } from './runtime.ts';

export interface RuncOptions {
  readonly host: RuntimeHost;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Folder of our own for the runtime's state and for exec sessions. Exists. */
  readonly folder: string;
  /** Paths of runtimes by the names that --runtime takes. Default: `runc`, looked up in PATH. */
  readonly runtimes?: Readonly<Record<string, string>>;
  readonly defaultRuntime?: string;
  /** Path of conmon. Default: looked up in PATH. */
  readonly supervisor?: string;
}

const RUNTIMES_PER_CORE = 8;

/** The oldest runc without the mask and mount races of November 2025 (CVE-2025-31133, -52565, -52881), per release line. */
const FIXED: readonly (readonly [number, number, number])[] = [[1, 2, 8], [1, 3, 3], [1, 4, 0]];

/** Drives runc, or a runtime with its command line, under conmon. */
export class RuncRuntime implements Runtime {
  readonly #options: RuncOptions;
  readonly #runtimes: Readonly<Record<string, string>>;
  /** Until the program is another one. */
  #probed: { readonly mtimeMs: number; readonly result: Awaited<ReturnType<Runtime['probe']>> } | undefined;
  readonly #found = new Map<string, Promise<string>>();
  /** More runtimes at once than this only take each other's processor and memory away. */
  readonly #gate = new Gate(RUNTIMES_PER_CORE * availableParallelism());

  constructor(options: RuncOptions) {
    this.#options = options;
    this.#runtimes = { runc: 'runc', ...options.runtimes };
  }

  /** The names that `--runtime` takes. */
  get names(): readonly string[] {
    return Object.keys(this.#runtimes);
  }

  async probe(): Promise<Awaited<ReturnType<Runtime['probe']>>> {
    const name = this.#options.defaultRuntime ?? 'runc';
    const path = await this.#runtimePath(name);
    const { mtimeMs } = await stat(path);
    if (this.#probed?.mtimeMs === mtimeMs) return this.#probed.result;
    const { stdout, code, stderr } = await this.#options.host.spawn.run(path, ['--version'], { timeoutMs: 5000 });
    if (code !== 0) throw new LongshoreError('unavailable', `${path} --version failed: ${stderr.trim()}`, { object: name });
    const text = stdout.toString('utf8');
    const version = /version (\S+)/.exec(text)?.[1] ?? 'unknown';
    const commit = /^commit: (\S+)/m.exec(text)?.[1] ?? '';
    const warnings: string[] = [];
    if (name === 'runc' && lacksFixes(version)) {
      warnings.push(
        `runc ${version} lacks the fixes of CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881: don't run images that you don't trust, or name a newer runtime`,
      );
    }
    const result = { name, path, version, commit, warnings };
    this.#probed = { mtimeMs, result };
    return result;
  }

  async create(options: CreateOptions): Promise<RuntimeContainer> {
    return this.#gate.through(() => this.#create(options));
  }

  async #create(options: CreateOptions): Promise<RuntimeContainer> {
    refuseWorkingDirectory((options.spec['process'] as { cwd?: string } | undefined)?.cwd ?? '/');
    const runtimePath = await this.#runtimePath(options.runtime ?? this.#options.defaultRuntime ?? 'runc');
    const supervisorPath = await this.#supervisorPath();
    // What an earlier run of this container left: its exit code would be taken for the new one's.
    const [left] = await Promise.all([
      readdir(options.bundle),
      writeFile(`${options.bundle}/config.json`, JSON.stringify(options.spec), { mode: 0o600 }),
    ]);
    await Promise.all(
      ['attach', 'ctl', 'winsz', 'pid', 'conmon.pid', 'oom', options.id]
        .filter((name) => left.includes(name))
        .map((name) => rm(`${options.bundle}/${name}`, { force: true })),
    );
    const supervisor = await Supervisor.start({
      supervisor: supervisorPath,
      runtime: runtimePath,
      runtimeArgs: [`--root=${this.#root}`],
      id: options.id,
      folder: options.bundle,
      logPath: options.logPath,
      ...(options.logMaxBytes === undefined ? {} : { logMaxBytes: options.logMaxBytes }),
      terminal: options.terminal,
      stdin: options.openStdin,
      // A terminal stays: its user comes back.
      leaveStdinOpen: !options.stdinOnce || options.terminal,
    });
    // conmon writes its own pid only when it forks away, which we don't let it.
    const noted = writeFile(`${options.bundle}/conmon.pid`, String(supervisor.pid));
    const [report] = await Promise.all([supervisor.report(), noted]);
    if (report === undefined || report.data <= 0) {
      await supervisor.ended;
      await this.#removeRemains(options.id, options.spec);
      throw createFailure(options.id, report?.message ?? supervisor.complaints);
    }
    return this.#container(options.id, options.bundle, options.spec, report.data, supervisor.ended, runtimePath, supervisorPath);
  }

  async recover(id: string, bundle: string): Promise<RuntimeContainer | undefined> {
    const spec = await readSpec(`${bundle}/config.json`);
    if (spec === undefined) return undefined;
    const pid = await readNumber(`${bundle}/pid`);
    const supervisorPid = await readNumber(`${bundle}/conmon.pid`);
    if (pid === undefined || supervisorPid === undefined) {
      // The daemon was killed in the middle of a create: nothing of it was ever started.
      await this.#removeRemains(id, spec);
      return undefined;
    }
    const [runtimePath, supervisorPath] = await Promise.all([this.#runtimePath(this.#options.defaultRuntime ?? 'runc'), this.#supervisorPath()]);
    let ended: (() => void) | undefined;
    const supervisorEnded = new Promise<void>((resolve) => (ended = resolve));
    // Watch first, look then: a pid that was given to somebody else since is told apart by its command line.
    const unwatch = watchProcess(supervisorPid, () => ended?.());
    if (unwatch === undefined || !(await isSupervisorOf(supervisorPid, id))) {
      unwatch?.();
      ended?.();
      return this.#container(id, bundle, spec, undefined, supervisorEnded, runtimePath, supervisorPath);
    }
    return this.#container(id, bundle, spec, pid, supervisorEnded, runtimePath, supervisorPath);
  }

  get #root(): string {
    return `${this.#options.folder}/state`;
  }

  #container(
    id: string,
    bundle: string,
    spec: OciSpec,
    pid: number | undefined,
    supervisorEnded: Promise<void>,
    runtimePath: string,
    supervisorPath: string,
  ): RuntimeContainer {
    return new SupervisedContainer({
      id,
      bundle,
      spec,
      pid,
      supervisorEnded,
      runtimePath,
      supervisorPath,
      runtimeRoot: this.#root,
      execFolder: `${this.#options.folder}/exec`,
      gate: this.#gate,
      opensGate: /(^|\/)runc$/.test(runtimePath),
      host: this.#options.host,
      clock: this.#options.clock,
    });
  }

  async #removeRemains(id: string, spec: OciSpec): Promise<void> {
    const cgroup = (spec['linux'] as { cgroupsPath?: string } | undefined)?.cgroupsPath;
    if (cgroup !== undefined) await this.#options.host.cgroups.remove(cgroup.replace(/^\//, ''));
    await removeTree(`${this.#root}/${id}`);
  }

  #runtimePath(name: string): Promise<string> {
    const configured = this.#runtimes[name];
    if (configured === undefined) {
      return Promise.reject(
        new LongshoreError('invalid', `unknown or invalid runtime name: ${name}`, {
          object: `runtime ${name}`,
          remedy: `Use one of: ${this.names.join(', ')}.`,
        }),
      );
    }
    return this.#locate(configured, name);
  }

  #supervisorPath(): Promise<string> {
    return this.#locate(this.#options.supervisor ?? 'conmon', 'conmon');
  }

  /** Finds a program in PATH; remembered once found, so that one installed later is found then. */
  async #locate(program: string, packageName: string): Promise<string> {
    const known = this.#found.get(program);
    if (known !== undefined) return known;
    const search = program.includes('/')
      ? [program]
      : `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin`
          .split(':')
          .filter((folder) => folder !== '')
          .map((folder) => `${folder}/${program}`);
    for (const path of search) {
      try {
        await access(path, 1);
        this.#found.set(program, Promise.resolve(path));
        return path;
      } catch (error) {
        if (!isErrno(error, 'ENOENT') && !isErrno(error, 'EACCES') && !isErrno(error, 'ENOTDIR')) throw error;
      }
    }
    throw new LongshoreError('unavailable', `${program} is not installed: containers can't be started`, {
      object: packageName,
      remedy: `Install it: apt-get install ${packageName}`,
    });
  }
}

async function readNumber(path: string): Promise<number | undefined> {
  try {
    const value = Number.parseInt(await readFile(path, 'utf8'), 10);
    return Number.isInteger(value) && value > 0 ? value : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function readSpec(path: string): Promise<OciSpec | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as OciSpec;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function isSupervisorOf(pid: number, id: string): Promise<boolean> {
  try {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    return args.includes(id) && args.includes('--cid');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

function lacksFixes(version: string): boolean {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version);
  if (parts === null) return false;
  const [major, minor, patch] = [Number(parts[1]), Number(parts[2]), Number(parts[3])] as const;
  const line = FIXED.find(([a, b]) => a === major && b === minor);
  if (line !== undefined) return patch < line[2];
  const oldest = FIXED[0]!;
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
}

