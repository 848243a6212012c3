import type { Undo } from '../lib/undo.ts';

/**
 * # The machine, as a parameter
 *
 * The only room that touches Linux. Everything above takes a Host (or the part
 * of it that it needs) in its constructor. What is hot goes through direct system calls
 * (koffi), not through forked tools.
 */
export interface Host {
  readonly spawn: Spawner;
  readonly mounts: Mounts;
  readonly netns: NetworkNamespaces;
  readonly namespaces: KeptNamespaces;
  readonly links: Links;
  readonly nft: Nft;
  readonly cgroups: Cgroups;
  readonly sysctl: Sysctl;
  readonly ports: HostPorts;
  readonly conntrack: Conntrack;
}

/** A connection's translation outlives the rule that made it; for UDP, as long as somebody keeps sending. */
export interface Conntrack {
  /** Forgets UDP flows to a port of this machine, except those that lead to `address` (the container that has it now; undefined: all). */
  forgetUdp(hostPort: number, keep?: string): Promise<void>;
}

/** Ports of the host, held by a socket of ours for as long as packets to them are redirected, so that nobody else gets them. */
export interface HostPorts {
  /** Quick and synchronous. @throws SyscallError with code EADDRINUSE, EADDRNOTAVAIL or EACCES */
  hold(protocol: 'tcp' | 'udp', address: string, port: number): () => void;
  /**
   * The process that listens on a port, as in `nginx (pid 123)`; undefined when it can't be found out. Slow: for error messages.
   * With `address`, an IPv4 one: only who keeps others from that address.
   */
  holder(protocol: 'tcp' | 'udp', port: number, address?: string): Promise<string | undefined>;
}

export interface SpawnResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Spawner {
  /**
   * Runs a program to its end. Output is bounded to `maxOutputBytes` (default 16 MiB). Does not reject on a non-zero
   * exit.
   * @throws `not-found` when the program is missing, naming the package to install
   */
  run(file: string, args: readonly string[], options?: SpawnOptions): Promise<SpawnResult>;
  /**
   * Starts a process that outlives us, in a session of its own, with nothing of ours but the given descriptors; nobody waits for it.
   * @returns its pid. @throws `not-found` as `run` does
   */
  spawnDaemon(file: string, args: readonly string[], options: DaemonOptions): Promise<number>;
}

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Descriptors of the new process, by position: 0, 1, 2, 3, …; `ignore` is /dev/null. */
  readonly stdio: readonly (number | 'ignore')[];
}

export interface SpawnOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Kills the program's process group when it aborts. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  /** Takes standard error as it comes, for somebody who watches: it is not kept then, and has no bound. */
  readonly onStderr?: (piece: Buffer) => void;
}

export interface Mounts {
  /** An overlay; `lower` from the top layer to the base. Works for any number of layers (a long option string is handled inside). */
  overlay(target: string, layers: OverlayLayers): Promise<Undo>;
  bind(
    source: string,
    target: string,
    options?: { readonly readOnly?: boolean; readonly recursive?: boolean; readonly propagation?: 'private' | 'rslave' | 'rshared' },
  ): Promise<Undo>;
  tmpfs(target: string, options?: { readonly sizeBytes?: number; readonly mode?: number }): Promise<Undo>;
  /** mount(2) of a file system with a device of its own, as in `nfs`. `options` are mount(8)'s words. */
  device(target: string, device: string, type: string, options: readonly string[]): Promise<Undo>;
  /** Makes what is mounted at `target`, and all beneath it, private: what is mounted there later is seen nowhere else. */
  makePrivate(target: string): Promise<void>;
  /** Detaches what is mounted at `target`, all layers of it; nothing to do is success. */
  unmount(target: string): Promise<void>;
  /** Targets of all mounts beneath a folder, deepest first: what `down` cleans. */
  beneath(folder: string): Promise<string[]>;
}

/**
 * `volatile`: skips all syncs of the upper directory, at unmounting too. For what needn't survive a crash of the
 * machine; such an upper directory can't be mounted again after one.
 */
export interface OverlayLayers {
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
  readonly volatile?: boolean;
}

export interface NetworkNamespaces {
  /** Makes a network namespace (loopback up) and keeps it by a bind mount at `path`. */
  create(path: string): Promise<Undo>;
  /** Removes the mount and file; nothing there is success. */
  remove(path: string): Promise<void>;
  /**
   * A TCP connection from within a namespace, as `localhost:80` of a pod: a descriptor for `new net.Socket({ fd })`.
   * @throws SyscallError with code ECONNREFUSED, ETIMEDOUT, …
   */
  connect(path: string, address: string, port: number, timeoutMs?: number): Promise<number>;
  /** A TCP socket that listens within a namespace: a descriptor for `server.listen({ fd })`. Port 0 takes a free one. */
  listen(path: string, address: string, port: number): Promise<number>;
}

/** IPC and UTS namespaces that no process holds, but a bind mount: a pod's containers share them. */
export interface KeptNamespaces {
  /** Makes those for which there is a path, and keeps each by a bind mount at it. The UTS namespace gets the host name (at most 64 bytes). */
  create(paths: { readonly ipc?: string; readonly uts?: string }, hostname: string): Promise<Undo>;
  /** False when the path leads to no namespace of any kind, as after a restart of the machine. */
  isKept(path: string): Promise<boolean>;
  /** Removes the mount and file; nothing there is success. */
  remove(path: string): Promise<void>;
}

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly kind: string | undefined;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly master: number | undefined;
}

/** `netns`: the path of a network namespace; left out, our own. Addresses are in CIDR form. All set-ups succeed when what they want is there already. */
export interface Links {
  list(netns?: string): Promise<LinkInfo[]>;
  addBridge(name: string, options: { readonly addresses: readonly string[]; readonly mtu?: number }): Promise<Undo>;
  /**
   * Connects a namespace to a bridge in as few system calls as can be: makes a veth pair, puts one end (`hostName`) on the bridge, moves the other
   * into `netns` as `name` with mac, addresses, MTU and default route. What a container start pays.
   */
  attach(options: AttachOptions): Promise<Undo>;
  addVxlan(
    name: string,
    options: { readonly vni: number; readonly local: string; readonly port?: number; readonly mtu?: number; readonly bridge?: string },
  ): Promise<Undo>;
  addDummy(name: string, addresses: readonly string[]): Promise<Undo>;
  remove(name: string, netns?: string): Promise<void>;
  /**
   * Cuts a bridge's port off at once, and removes the link soon, together with others: removing one waits some 14 ms for
   * the kernel's readers, and removing fifty as one waits no longer. Nothing there is success.
   */
  retire(name: string): Promise<void>;
  /** Resolves when all that was retired is gone. */
  settle(): Promise<void>;
  addresses(netns?: string): Promise<{ readonly link: string; readonly cidr: string }[]>;
  addRoute(route: Route, netns?: string): Promise<Undo>;
  routes(netns?: string): Promise<Route[]>;
  /** What `AttachOptions.loopback` asks for, on a link that is there. */
  routeLoopback(link: string, loopback: { readonly address: string; readonly via: string }, netns?: string): Promise<void>;
  /** Static forwarding and neighbour entries, for the overlay. */
  addNeighbour(entry: { readonly link: string; readonly address: string; readonly mac: string }): Promise<Undo>;
  addFdb(entry: { readonly link: string; readonly mac: string; readonly remote: string }): Promise<Undo>;
}

export interface AttachOptions {
  readonly netns: string;
  readonly bridge: string;
  readonly hostName: string;
  readonly name: string;
  readonly mac?: string;
  readonly addresses: readonly string[];
  readonly gateway?: string;
  readonly mtu?: number;
  /** Let packets come back through the port that they left by: a pod that calls its own Service. */
  readonly hairpin?: boolean;
  /** Reaches the bridge, but no other isolated port. */
  readonly isolated?: boolean;
  /** Packets to this loopback address (the resolver's 127.0.0.11) leave by this link to `via`, rather than stay inside. */
  readonly loopback?: { readonly address: string; readonly via: string };
}

export interface Route {
  /** CIDR, or `default`. */
  readonly destination: string;
  readonly via?: string;
  readonly link?: string;
  readonly onLink?: boolean;
}

export interface Nft {
  /** Applies an nft script as one transaction (libnftables in this process; no fork). @throws `internal` with nft's own message */
  apply(script: string): Promise<void>;
  /** `nft -j list …`, parsed. */
  list(command: string): Promise<unknown>;
}

export interface CgroupLimits {
  readonly memoryBytes?: number;
  readonly memorySwapBytes?: number;
  /** CPU time in nanoseconds per second of wall time: 1e9 is one CPU. */
  readonly nanoCpus?: number;
  readonly cpuShares?: number;
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pids?: number;
  /** What is left to it when memory is short. */
  readonly memoryReservationBytes?: number;
  /** 0 to 100; version 1 alone has it. */
  readonly memorySwappiness?: number;
  /** Over its limit it waits instead of being killed; version 1 alone has it. */
  readonly oomKillDisable?: boolean;
  readonly blockIo?: BlockIoLimits;
}

export interface BlockIoLimits {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly weightDevices?: readonly DeviceRate[];
  readonly readBps?: readonly DeviceRate[];
  readonly writeBps?: readonly DeviceRate[];
  readonly readIops?: readonly DeviceRate[];
  readonly writeIops?: readonly DeviceRate[];
}

/** Which of the limits this machine's kernel knows. */
export interface CgroupAbilities {
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly memorySwappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly blockIoWeight: boolean;
  readonly blockIoWeightDevices: boolean;
  /** Bytes and operations a second of block devices. */
  readonly blockIoRates: boolean;
  /** The CPUs and memory nodes that there are to choose from, as in `0-3,8`; undefined: no cpuset. */
  readonly cpus: string | undefined;
  readonly memoryNodes: string | undefined;
}

/** A block device by its numbers, and bytes or operations a second (or a weight). */
export interface DeviceRate {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface CgroupUsage {
  readonly cpuNanos: number;
  readonly cpuUserNanos: number;
  readonly cpuSystemNanos: number;
  readonly memoryBytes: number;
  /** Without the page cache that can be dropped: what `docker stats` shows. */
  readonly memoryWorkingSetBytes: number;
  readonly memoryLimitBytes: number | undefined;
  readonly pids: number;
  readonly pidsLimit: number | undefined;
  readonly oomKills: number;
}

/** One tree for v1, hybrid and v2. A path is relative to the cgroup root, as in `longshore-1a2b3c4d/docker/<id>`. */
export interface Cgroups {
  readonly version: 1 | 2;
  /** Which limits can be set here; of others `ociResources` should not be asked. */
  abilities(): Promise<CgroupAbilities>;
  /** What `linux.cgroupsPath` and `linux.resources` of an OCI spec should hold. */
  ociResources(limits: CgroupLimits): unknown;
  create(path: string, limits?: CgroupLimits): Promise<void>;
  update(path: string, limits: CgroupLimits): Promise<void>;
  usage(path: string): Promise<CgroupUsage | undefined>;
  processes(path: string): Promise<number[]>;
  freeze(path: string, frozen: boolean): Promise<void>;
  /** Kills what is left in it and removes it with its children; nothing there is success. */
  remove(path: string): Promise<void>;
  /** A process will be moved into a group in a moment: has the kernel ready for that until the returned call, or for a while. Returns at once. */
  expectMove?(): () => void;
}

export interface Sysctl {
  get(name: string): Promise<string>;
  /** Returns the undo that puts the old value back. */
  set(name: string, value: string): Promise<Undo>;
}
