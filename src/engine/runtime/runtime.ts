import type { Undo } from '../../lib/undo.ts';

/**
 * # Runtime: processes in containers, supervised
 *
 * Takes an OCI bundle (config.json and a mounted root) and runs it with an OCI
 * runtime (runc by default, another by name), under one supervisor process per
 * container, which outlives the daemon: it holds standard input and output,
 * writes the log and, at the end, the exit code to disk. A daemon that starts again calls
 * `recover`, and gets back every container with its exit code, without a lost log
 * line.
 *
 * Life of a container: created → running → stopped, then `remove`. Exits are
 * pushed, never polled.
 */
export interface Runtime {
  /** The names that `--runtime` takes; undefined when they are not known. */
  readonly names?: readonly string[];
  /** Name and version of the OCI runtime, for `docker info` and `longshore doctor`. @throws `unavailable`, naming what to install */
  probe(): Promise<{ readonly name: string; readonly path: string; readonly version: string; readonly commit: string; readonly warnings: readonly string[] }>;
  /** Makes the container, up to but without its first process's program. @throws with the runtime's own message as cause, made readable */
  create(options: CreateOptions): Promise<RuntimeContainer>;
  /** Takes up a container which an earlier daemon made; undefined when nothing of it is left. */
  recover(id: string, bundle: string): Promise<RuntimeContainer | undefined>;
}

export interface CreateOptions {
  readonly id: string;
  /** Folder of its own, which exists, with rootfs mounted where `spec.root.path` says. config.json is written there. */
  readonly bundle: string;
  /** OCI runtime-spec config. */
  readonly spec: OciSpec;
  /** As in docker's --runtime. */
  readonly runtime?: string;
  readonly terminal: boolean;
  /** Keep standard input open for attach. */
  readonly openStdin: boolean;
  /** Close standard input when the first attached client goes. */
  readonly stdinOnce: boolean;
  /** Where the supervisor writes the log, in the CRI format (`<RFC3339Nano> stdout|stderr F|P <line>`); undefined: no log. */
  readonly logPath?: string;
  readonly logMaxBytes?: number;
}

/** The OCI runtime-spec's config.json. Typed in types/oci; here it is data that we pass on. */
export type OciSpec = Readonly<Record<string, unknown>>;

export interface ExitStatus {
  /** 128 + n when signal n ended it, as shells say. */
  readonly code: number;
  readonly oomKilled: boolean;
  readonly finishedMs: number;
}

export interface RuntimeContainer {
  readonly id: string;
  /** Of the first process, on the host; undefined once it has ended. */
  readonly pid: number | undefined;
  start(): Promise<void>;
  /** Resolves once, when the first process has ended. */
  readonly exit: Promise<ExitStatus>;
  /** To the first process, or (`all`) to each. Already gone: `conflict`. */
  kill(signal: number, all?: boolean): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  attach(): Promise<AttachedStreams>;
  resize(columns: number, rows: number): Promise<void>;
  /** The supervisor opens its log file anew: call it after renaming the old one. */
  reopenLog(): Promise<void>;
  exec(options: ExecOptions): Promise<ExecSession>;
  /** Ends what still runs, removes the runtime's state, supervisor and cgroup. Safe to call twice. Not the bundle's mounts. */
  remove(): Promise<void>;
}

export interface AttachedStreams {
  /** Bytes for standard input; end() closes it. Undefined when it was not opened. */
  readonly stdin: NodeJS.WritableStream | undefined;
  /** Called for each piece of output, in order; `stderr` never with a terminal. Return a promise to hold the flow back. */
  onOutput(listener: (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>): Undo;
  /** All output has been delivered and the container's end of it is closed. */
  readonly closed: Promise<void>;
  detach(): void;
}

export interface ExecOptions {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] };
  readonly terminal: boolean;
  readonly consoleSize?: { readonly columns: number; readonly rows: number };
  readonly stdin: boolean;
  /** Nobody watches it, and it is to go on when this daemon ends. */
  readonly background?: boolean;
  readonly privileged?: boolean;
  readonly capabilities?: readonly string[];
  /** Kills the process when it aborts. */
  readonly signal?: AbortSignal;
}

export interface ExecSession extends AttachedStreams {
  /** On the host; it stays when the process has ended. */
  readonly pid: number | undefined;
  readonly exit: Promise<ExitStatus>;
  resize(columns: number, rows: number): Promise<void>;
  kill(signal: number): Promise<void>;
}
