import type { Duplex } from 'node:stream';

/**
 * # CRI: the one way from the agent to containers
 *
 * The part of runtime.v1 (k8s.io/cri-api) that the agent uses, as typed calls with the
 * protocol's own names in lowerCamelCase. One implementation is a service over our engine,
 * called in-process; a gRPC server and a gRPC client carry the same calls, so
 * that a real kubelet can stand above and containerd beneath. Timestamps are
 * nanoseconds since the epoch as bigint, 0n for never.
 */
export interface Cri {
  version(): Promise<{ readonly runtimeName: string; readonly runtimeVersion: string; readonly runtimeApiVersion: string }>;
  status(): Promise<{ readonly runtimeReady: boolean; readonly networkReady: boolean; readonly message?: string }>;
  /** The node's pod range, in CIDR form. */
  updateRuntimeConfig(podCidr: string): Promise<void>;

  runPodSandbox(config: PodSandboxConfig): Promise<string>;
  /** Safe to call again. */
  stopPodSandbox(podSandboxId: string): Promise<void>;
  removePodSandbox(podSandboxId: string): Promise<void>;
  podSandboxStatus(podSandboxId: string): Promise<PodSandboxStatus>;
  listPodSandbox(filter?: { readonly id?: string; readonly labelSelector?: Labels }): Promise<readonly PodSandbox[]>;

  createContainer(podSandboxId: string, config: ContainerConfig, sandboxConfig: PodSandboxConfig): Promise<string>;
  startContainer(containerId: string): Promise<void>;
  /** SIGTERM (or the image's signal), SIGKILL after `timeout` seconds. */
  stopContainer(containerId: string, timeout: number): Promise<void>;
  removeContainer(containerId: string): Promise<void>;
  listContainers(filter?: { readonly id?: string; readonly podSandboxId?: string; readonly labelSelector?: Labels }): Promise<readonly CriContainer[]>;
  containerStatus(containerId: string): Promise<CriContainerStatus>;
  updateContainerResources(containerId: string, linux: LinuxContainerResources): Promise<void>;
  reopenContainerLog(containerId: string): Promise<void>;
  execSync(
    containerId: string,
    cmd: readonly string[],
    timeoutSeconds: number,
    signal?: AbortSignal,
  ): Promise<{ readonly stdout: Buffer; readonly stderr: Buffer; readonly exitCode: number }>;
  /** In-process instead of by a streaming URL; the gRPC pair bridges it. */
  exec(
    containerId: string,
    options: {
      readonly cmd: readonly string[];
      readonly tty: boolean;
      readonly stdin: boolean;
      readonly consoleSize?: { readonly columns: number; readonly rows: number };
    },
  ): Promise<CriStream>;
  attach(containerId: string, options: { readonly tty: boolean; readonly stdin: boolean }): Promise<CriStream>;
  /** A connection to a port inside of the sandbox's network namespace. */
  portForward(podSandboxId: string, port: number): Promise<Duplex>;
  containerStats(containerId: string): Promise<ContainerStats>;
  listContainerStats(): Promise<readonly ContainerStats[]>;
  /** Pushes what happens to containers; the agent need not poll. Returns the undo. */
  onContainerEvent(listener: (event: ContainerEventResponse) => void): () => void;

  listImages(): Promise<readonly CriImage[]>;
  /** Undefined when there is none. */
  imageStatus(image: string): Promise<CriImage | undefined>;
  /** @returns the image reference (id) */
  pullImage(image: string, auth: AuthConfig | undefined, signal?: AbortSignal): Promise<string>;
  removeImage(image: string): Promise<void>;
  imageFsInfo(): Promise<{ readonly mountpoint: string; readonly usedBytes: number; readonly inodesUsed: number }>;
}

export type Labels = Readonly<Record<string, string>>;

export interface PodSandboxMetadata { readonly name: string; readonly uid: string; readonly namespace: string; readonly attempt: number }

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export interface NamespaceOption { readonly network: NamespaceMode; readonly pid: NamespaceMode; readonly ipc: NamespaceMode; readonly targetId?: string }

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname: string;
  /** Folder in which the logs of the pod's containers lie. */
  readonly logDirectory: string;
  readonly dnsConfig?: { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] };
  readonly portMappings: readonly {
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIp: string;
  }[];
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly linux: {
    readonly cgroupParent: string;
    readonly sysctls: Labels;
    readonly securityContext: {
      readonly namespaceOptions: NamespaceOption;
      readonly privileged: boolean;
      readonly supplementalGroups: readonly number[];
      readonly fsGroup?: number;
    };
  };
}

export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: PodSandboxState;
  readonly createdAt: bigint;
  readonly labels: Labels;
  readonly annotations: Labels;
}
export interface PodSandboxStatus extends PodSandbox {
  readonly network: { readonly ip: string; readonly additionalIps: readonly string[] };
  readonly namespaces: NamespaceOption;
}

export interface ContainerMetadata { readonly name: string; readonly attempt: number }

export interface CriMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly selinuxRelabel?: boolean;
  readonly propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
}

export interface LinuxContainerResources {
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly memoryLimitInBytes: number;
  readonly oomScoreAdj: number;
  readonly cpusetCpus?: string;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  readonly image: { readonly image: string; readonly userSpecifiedImage?: string };
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly CriMount[];
  readonly devices: readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[];
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Relative to the sandbox's logDirectory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly linux: {
    readonly resources: LinuxContainerResources;
    readonly securityContext: {
      readonly capabilities?: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] };
      readonly privileged: boolean;
      readonly namespaceOptions: NamespaceOption;
      readonly runAsUser?: number;
      readonly runAsGroup?: number;
      readonly runAsUsername?: string;
      readonly readonlyRootfs: boolean;
      readonly supplementalGroups: readonly number[];
      /** STRICT: groups of the image's own group file don't count. Left out: MERGE. */
      readonly supplementalGroupsPolicy?: 'MERGE' | 'STRICT';
      readonly noNewPrivs: boolean;
      readonly maskedPaths?: readonly string[];
      readonly readonlyPaths?: readonly string[];
      readonly seccomp?: { readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost'; readonly localhostRef?: string };
    };
  };
}

export type CriContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
export interface CriContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly image: string;
  readonly imageRef: string;
  readonly imageId: string;
  readonly state: CriContainerState;
  readonly createdAt: bigint;
  readonly labels: Labels;
  readonly annotations: Labels;
}
export interface CriContainerStatus extends Omit<CriContainer, 'podSandboxId'> {
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, … */
  readonly reason: string;
  readonly message: string;
  readonly mounts: readonly CriMount[];
  readonly logPath: string;
  /** Of the user that the process got, for runAsNonRoot. */
  readonly user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
}

export interface ContainerStats {
  readonly id: string;
  readonly metadata: ContainerMetadata;
  readonly labels: Labels;
  readonly timestamp: bigint;
  readonly cpuUsageCoreNanoSeconds: bigint;
  readonly memoryWorkingSetBytes: bigint;
  readonly memoryUsageBytes: bigint;
  readonly writableLayerUsedBytes: bigint;
}

export type ContainerEventType =
  'CONTAINER_CREATED_EVENT' | 'CONTAINER_STARTED_EVENT' | 'CONTAINER_STOPPED_EVENT' | 'CONTAINER_DELETED_EVENT';
export interface ContainerEventResponse {
  readonly containerId: string;
  readonly podSandboxId: string;
  readonly containerEventType: ContainerEventType;
  readonly createdAt: bigint;
}

export interface CriImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: bigint;
  readonly uid?: number;
  readonly username: string;
  readonly pinned: boolean;
}

export interface AuthConfig {
  readonly username: string;
  readonly password: string;
  readonly auth: string;
  readonly serverAddress: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

export interface CriStream {
  readonly stdin: NodeJS.WritableStream | undefined;
  onOutput(listener: (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>): () => void;
  /** For exec: the command's exit code, after all output was delivered. For attach: when the container ended or the stream was closed. */
  readonly exit: Promise<number>;
  resize(columns: number, rows: number): Promise<void>;
  close(): void;
}
