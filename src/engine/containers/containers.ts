import type { Undo } from '../../lib/undo.ts';
import type { BlockIoLimits, CgroupAbilities, CgroupLimits, CgroupUsage } from '../../host/host.ts';
import type { Endpoint, PortWish } from '../network/network.ts';
import type { AttachedStreams, ExecSession, ExitStatus } from '../runtime/runtime.ts';

export type { BlockIoLimits, CgroupAbilities, CgroupLimits, CgroupUsage };

/**
 * # Containers: the engine's centre
 *
 * Both doors lead here: the Docker API, and CRI for pods. A container is
 * described by a ContainerSpec, which neither door's JSON leaks into. State is written to
 * disk before a call returns; after a crash of the daemon `recover` finds
 * every container as it is now. Restart policies and health checks of Docker containers run here (pods have theirs in the agent).
 *
 * States: created → running ⇄ paused → exited → (removing) gone; `restarting`
 * between two runs by policy; `dead` when removal failed half-way.
 */
export interface Containers {
  create(spec: ContainerSpec): Promise<Container>;
  /** By id, unambiguous id prefix or name (a leading `/` is ignored). @throws `not-found` (`No such container: x`), `invalid` (ambiguous) */
  get(nameOrId: string): Container;
  list(filter?: { readonly owner?: ContainerOwner; readonly labels?: Readonly<Record<string, string>> }): readonly Container[];
  start(id: string): Promise<void>;
  /** Stop signal, then SIGKILL after the time-out (undefined: the container's own, else 10 s). Already stopped: nothing happens. */
  stop(id: string, options?: { readonly timeoutSeconds?: number; readonly signal?: number }): Promise<void>;
  kill(id: string, signal: number): Promise<void>;
  pause(id: string): Promise<void>;
  unpause(id: string): Promise<void>;
  restart(id: string, options?: { readonly timeoutSeconds?: number; readonly signal?: number }): Promise<void>;
  rename(id: string, name: string): Promise<void>;
  /** Takes away a legacy link, `NAME/ALIAS`; of a running container at its next start. @throws `not-found` */
  removeLink(path: string): Promise<void>;
  update(id: string, changes: { readonly limits?: CgroupLimits; readonly restart?: RestartPolicy }): Promise<void>;
  /** @throws `conflict` when it runs and `force` is not set */
  remove(id: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>;
  /** Resolves with the exit of the condition's moment: `next-exit` waits for the next one, `removed` for the removal. */
  wait(id: string, condition: 'not-running' | 'next-exit' | 'removed', signal?: AbortSignal): Promise<ExitStatus>;
  attach(id: string): Promise<AttachedStreams>;
  resize(id: string, columns: number, rows: number): Promise<void>;
  exec(id: string, options: ContainerExec): Promise<ExecSession>;
  /** An `exec` will follow in a moment: it is quicker for that. */
  expectExec?(): void;
  /** Log entries of this container, then (follow) what comes. */
  logs(id: string, options: LogOptions): AsyncIterable<LogEntry>;
  usage(id: string): Promise<CgroupUsage | undefined>;
  /** `ps` titles and rows. */
  processes(id: string, psArgs?: string): Promise<{ readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] }>;
  /** Copies a tree out of, or into, the container, running or not; paths are resolved beneath its root by descriptor, never by a program of its own. */
  archive(id: string, path: string): Promise<{ readonly stat: PathStat; readonly tar: () => NodeJS.ReadableStream }>;
  extract(
    id: string,
    path: string,
    tar: NodeJS.ReadableStream,
    options?: { readonly noOverwriteDirNonDir?: boolean; readonly copyUidGid?: boolean },
  ): Promise<void>;
  statPath(id: string, path: string): Promise<PathStat>;
  changes(id: string): Promise<readonly { readonly path: string; readonly kind: 0 | 1 | 2 }[]>;
  onEvent(listener: (event: ContainerEvent) => void): Undo;
  /** Connects a container, running or not, to one more network; and takes it out again. @throws `conflict`, `invalid` (it has no network of its own) */
  connectNetwork(id: string, attachment: NetworkAttachment): Promise<void>;
  disconnectNetwork(id: string, networkId: string): Promise<void>;
  /** After the log file was renamed: the supervisor opens it anew. */
  reopenLog(id: string): Promise<void>;
  /** Emits an event of the caller's about this container (`exec_create: …`, `copy`, …). */
  announce(id: string, action: string, attributes?: Readonly<Record<string, string>>): void;
  /** Lends the container's root, mounted, whether it runs or not (for commit and export). */
  withRoot<T>(id: string, work: (rootfs: string) => Promise<T>): Promise<T>;
  /** Resolves when nothing of containers that have ended or gone is left to be taken down. */
  settled(): Promise<void>;
  /** Containers, gone ones not, that mount a volume. */
  volumeUsers(name: string): readonly string[];
  /** Takes up what an earlier daemon left. `networks` is told which containers live before any is restarted (default: the networks' own recover). */
  recover(networks?: (live: ReadonlySet<string>) => Promise<void>): Promise<void>;
  /** Stops (`down`) or leaves running (upgrade) what there is, then ends. */
  close(options: { readonly stopContainers: boolean }): Promise<void>;
}

/** Who asked for it. `docker ps` shows its own; pods' containers show up too, labelled, with names as the kubelet gives them. */
export type ContainerOwner = 'docker' | 'cri' | 'build';

export interface ContainerSpec {
  readonly owner: ContainerOwner;
  /** Left out: a random adjective_surname. */
  readonly name?: string;
  /** What the user wrote, and the image it meant. */
  readonly image: { readonly name: string; readonly id: string };
  /** A root file system that the caller has mounted, and will unmount: no layer is made over the image, which needn't be there. For build steps. */
  readonly rootfs?: string;
  readonly process: ProcessSpec;
  readonly labels: Readonly<Record<string, string>>;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly MountSpec[];
  readonly network: NetworkSpec;
  /**
   * Namespaces to join, by path or as `container:NAME`; left out: a new one. `host`: the host's. Of `ipc` also `shareable` (others may join it, and its
   * shared memory) and `none` (no /dev/shm). `cgroup` left out: a private one where cgroups are of version 2 and the container is not privileged.
   */
  readonly namespaces?: {
    readonly ipc?: 'host' | 'private' | string;
    readonly pid?: 'host' | string;
    readonly uts?: 'host' | string;
    readonly cgroup?: 'host' | 'private';
  };
  readonly limits: CgroupLimits;
  /** Limits of block devices, by their paths; the start looks which these are by then. */
  readonly deviceLimits?: readonly DeviceLimit[];
  /** Parent beneath the instance's own cgroup, as in `kubepods/pod<uid>`. */
  readonly cgroupParent?: string;
  readonly security: SecuritySpec;
  readonly restart: RestartPolicy;
  readonly health?: HealthSpec;
  readonly stopSignal?: number;
  readonly stopTimeoutSeconds?: number;
  readonly autoRemove: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly logPath?: string;
  readonly init?: boolean;
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly extraHosts?: readonly string[];
  /** Legacy links: the other container's address at the time of the start, under `alias`. */
  readonly links?: readonly { readonly container: string; readonly alias: string }[];
  /** `none`: output goes to those attached, and nowhere else. */
  readonly logging?: 'none';
  /** The log is renamed to `….1`, `….2`, … when it is larger; so many files are kept. */
  readonly logRotation?: { readonly maxBytes: number; readonly files: number };
  readonly dns?: { readonly servers: readonly string[]; readonly search: readonly string[]; readonly options: readonly string[] };
  readonly devices?: readonly { readonly hostPath: string; readonly containerPath: string; readonly permissions: string }[];
  /** Rules of the devices' control group, as in `c 1:3 rwm`; beyond those of `devices`. */
  readonly deviceRules?: readonly string[];
  /** Handed to the OCI runtime as they are. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly shmBytes?: number;
  readonly oomScoreAdj?: number;
  readonly runtime?: string;
  /** The caller's own JSON, kept with the container (what `docker inspect` must give back). */
  readonly opaque?: unknown;
}

export interface ProcessSpec {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** As in USER: `name`, `uid`, `name:group`, `uid:gid`; resolved against the container's own files. Empty: root. */
  readonly user: string;
  readonly additionalGids?: readonly (number | string)[];
  /** The image's group file gives the user no further groups: for `supplementalGroupsPolicy: Strict` of a pod. */
  readonly strictGroups?: boolean;
  readonly terminal: boolean;
  readonly consoleSize?: { readonly columns: number; readonly rows: number };
}

export type MountSpec =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation?: string;
      readonly recursion?: BindRecursion;
    }
  | {
      readonly type: 'volume';
      readonly volume: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly noCopy?: boolean;
      /** A folder or file in the volume, by its path there. */ readonly subpath?: string;
    }
  /** The files of an image, which nobody can write. `image`: its id; `name`: as the user wrote it. */
  | { readonly type: 'image'; readonly image: string; readonly name: string; readonly target: string; readonly readOnly: boolean; readonly subpath?: string }
  /** `options`: further mount options, which replace what they contradict of nosuid, nodev, noexec. */
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly readOnly?: boolean;
      readonly sizeBytes?: number;
      readonly mode?: number;
      readonly options?: readonly string[];
    };

/**
 * What of a bind mount happens to the mounts beneath its source: they come along (and are read-only with it, where the
 * kernel can); `none`: they don't; `writable`: they stay as they are; `readonly`: read-only, or the start fails.
 */
export type BindRecursion = 'none' | 'writable' | 'readonly';

export type NetworkSpec =
  | { readonly mode: 'networks'; readonly endpoints: readonly NetworkAttachment[]; readonly ports: readonly PortWish[] }
  | { readonly mode: 'host' }
  | { readonly mode: 'none' }
  /** Joins a namespace that somebody else owns: a pod's, or another container's. */
  | { readonly mode: 'namespace'; readonly path: string; readonly hostsPath?: string; readonly resolvConfPath?: string; readonly container?: string };

export interface NetworkAttachment {
  /** Name of the link inside; left out: `eth` with its place in the list. */
  readonly linkName?: string;
  /** More addresses of the link, of 169.254.0.0/16. */
  readonly linkLocal?: readonly string[];
  readonly networkId: string;
  readonly aliases?: readonly string[];
  readonly address?: string;
  readonly mac?: string;
  /** A user-defined network: the container asks the embedded DNS. */
  readonly embeddedDns?: boolean;
}

export interface SecuritySpec {
  readonly privileged: boolean;
  readonly readOnlyRoot: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  /** `default` (ours), `unconfined`, or a profile as JSON. */
  readonly seccomp: string;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  /** /sys/fs/cgroup may be written, within the container's own namespace. */
  readonly writableCgroups?: boolean;
}

export interface DeviceLimit {
  readonly limit: Exclude<keyof BlockIoLimits, 'weight'>;
  readonly path: string;
  /** Bytes or operations a second; or a weight. */
  readonly rate: number;
}

export interface RestartPolicy {
  readonly name: 'no' | 'always' | 'on-failure' | 'unless-stopped';
  readonly maximumRetryCount?: number;
}

export interface HealthSpec {
  readonly test: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

/** A snapshot of a container's state; a new object for each change. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly createdMs: number;
  readonly status: ContainerStatus;
  readonly pid: number | undefined;
  readonly startedMs: number | undefined;
  readonly exit: ExitStatus | undefined;
  readonly restartCount: number;
  /** Why the last start failed. */
  readonly error: string | undefined;
  readonly health:
    | {
        readonly status: 'starting' | 'healthy' | 'unhealthy';
        readonly failingStreak: number;
        readonly log: readonly { readonly startMs: number; readonly endMs: number; readonly exitCode: number; readonly output: string }[];
      }
    | undefined;
  readonly endpoints: readonly Endpoint[];
  readonly logPath: string | undefined;
  /** Where its root is mounted while it runs. */
  readonly rootfs: string;
}

export interface ContainerExec {
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Nobody watches it, and it is to go on when this daemon ends. */
  readonly background?: boolean;
  readonly privileged?: boolean;
  readonly consoleSize?: { readonly columns: number; readonly rows: number };
  readonly signal?: AbortSignal;
}

export interface LogOptions {
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** The last so many lines. */
  readonly tail?: number;
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

export interface LogEntry {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, as it was logged. */
  readonly time: string;
  /** With its newline, where the line had one. */
  readonly data: Buffer;
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode bits, as the archive API's header wants. */
  readonly mode: number;
  readonly mtimeMs: number;
  readonly linkTarget: string;
}

/** Actions as in `docker events`: create, start, die, stop, kill, destroy, oom, pause, health_status: healthy, exec_create: …, … */
export interface ContainerEvent {
  readonly action: string;
  readonly container: Container;
  readonly timeMs: number;
  readonly attributes: Readonly<Record<string, string>>;
}
