import { join } from 'node:path';
import type { Container, ContainerSpec, MountSpec } from '../../engine/containers/containers.ts';
import type { Image } from '../../engine/images/images.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { ContainerConfig, ContainerMetadata, CriMount, Labels, NamespaceOption, PodSandboxConfig } from './cri.ts';
import type { SandboxRecord } from './sandboxes.ts';

/** What CRI must be able to give back of a container, kept with it. */
export interface CriRecord {
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly annotations: Labels;
  readonly mounts: readonly CriMount[];
  readonly userSpecifiedImage: string;
  /** Not a container of the pod, but the process that holds its PID namespace. */
  readonly holder?: boolean;
}

export function readOpaque(container: Container): CriRecord {
  return container.spec.opaque as CriRecord;
}

/**
 * CRI's container as the engine's. Pure. `given`: the container that holds the pod's PID namespace, where it has one,
 * and a seccomp profile that was read.
 * @throws `invalid` when nothing says what to run
 */
export function containerSpec(
  sandbox: SandboxRecord,
  config: ContainerConfig,
  sandboxConfig: PodSandboxConfig,
  image: Image,
  given: { readonly holder: string | undefined; readonly profile: string | undefined },
): ContainerSpec {
  const { securityContext, resources } = config.linux;
  const { name, namespace, uid } = sandboxConfig.metadata;
  const args = commandOf(config, image);
  if (args.length === 0) {
    throw new LongshoreError('invalid', `no command specified: the image ${config.image.image} names none, nor does the container`, {
      object: `container ${config.metadata.name} of pod ${namespace}/${name}`,
      remedy: 'Set command in the container, or ENTRYPOINT or CMD in the image.',
    });
  }
  const record: CriRecord = {
    podSandboxId: sandbox.id,
    metadata: config.metadata,
    annotations: config.annotations,
    mounts: config.mounts,
    userSpecifiedImage: config.image.userSpecifiedImage ?? config.image.image,
  };
  return {
    owner: 'cri',
    name: `k8s_${config.metadata.name}_${name}_${namespace}_${uid}_${config.metadata.attempt}`,
    image: { name: record.userSpecifiedImage, id: image.id },
    process: {
      args,
      env: mergeEnvironment(image.document.config.Env ?? [], config.envs),
      cwd: config.workingDir || image.document.config.WorkingDir || '/',
      user: userOf(config, image),
      additionalGids: securityContext.supplementalGroups,
      ...(securityContext.supplementalGroupsPolicy === 'STRICT' && { strictGroups: true }),
      terminal: config.tty,
    },
    labels: config.labels,
    hostname: sandboxConfig.hostname,
    mounts: [...sharedMounts(sandbox, config), ...config.mounts.map(mount)],
    network: networkOf(sandbox),
    namespaces: namespacesOf(sandbox, securityContext.namespaceOptions, given.holder),
    limits: {
      ...(resources.cpuShares > 0 && { cpuShares: resources.cpuShares }),
      ...(resources.cpuQuota > 0 && { cpuQuota: resources.cpuQuota, cpuPeriod: resources.cpuPeriod || 100_000 }),
      // No swap beyond memory, as the kubelet sets it.
      ...(resources.memoryLimitInBytes > 0 && { memoryBytes: resources.memoryLimitInBytes, memorySwapBytes: resources.memoryLimitInBytes }),
      ...(resources.cpusetCpus && { cpusetCpus: resources.cpusetCpus }),
    },
    cgroupParent: sandboxConfig.linux.cgroupParent,
    security: {
      privileged: securityContext.privileged,
      readOnlyRoot: securityContext.readonlyRootfs,
      capAdd: securityContext.capabilities?.addCapabilities ?? [],
      capDrop: securityContext.capabilities?.dropCapabilities ?? [],
      noNewPrivileges: securityContext.noNewPrivs,
      seccomp: securityContext.privileged
        ? 'unconfined'
        : (given.profile ?? (securityContext.seccomp?.profileType === 'RuntimeDefault' ? 'default' : 'unconfined')),
      ...(securityContext.maskedPaths && { maskedPaths: securityContext.maskedPaths }),
      ...(securityContext.readonlyPaths && { readonlyPaths: securityContext.readonlyPaths }),
    },
    restart: { name: 'no' },
    ...(stopSignalOf(image) !== undefined && { stopSignal: stopSignalOf(image)! }),
    autoRemove: false,
    openStdin: config.stdin,
    stdinOnce: config.stdinOnce,
    logPath: join(sandboxConfig.logDirectory, config.logPath),
    sysctls: sandboxConfig.linux.sysctls,
    devices: config.devices,
    oomScoreAdj: resources.oomScoreAdj,
    opaque: record,
  };
}

/**
 * The process that holds the PID namespace of a pod whose containers share one: `rootfs` has `pause` in it and nothing else.
 * It is the namespace's first, so that its end is the end of all in there.
 */
export function holderSpec(sandbox: SandboxRecord, rootfs: string): ContainerSpec {
  const { name, namespace, uid, attempt } = sandbox.config.metadata;
  const record: CriRecord = { podSandboxId: sandbox.id, metadata: { name: 'POD', attempt }, annotations: {}, mounts: [], userSpecifiedImage: '', holder: true };
  return {
    owner: 'cri',
    name: `k8s_POD_${name}_${namespace}_${uid}_${attempt}`,
    image: { name: 'pause', id: '' },
    rootfs,
    process: { args: ['/pause'], env: [], cwd: '/', user: '65535:65535', terminal: false },
    labels: sandbox.config.labels,
    hostname: sandbox.config.hostname,
    mounts: [],
    network: networkOf(sandbox),
    namespaces: namespacesOf(sandbox, { ...sandbox.config.linux.securityContext.namespaceOptions, pid: 'CONTAINER' }, undefined),
    limits: { cpuShares: 2 },
    cgroupParent: sandbox.config.linux.cgroupParent,
    security: { privileged: false, readOnlyRoot: true, capAdd: [], capDrop: ['ALL'], noNewPrivileges: true, seccomp: 'default' },
    restart: { name: 'no' },
    autoRemove: false,
    openStdin: false,
    stdinOnce: false,
    logging: 'none',
    oomScoreAdj: HOLDER_OOM_SCORE,
    opaque: record,
  };
}

/** Killed after everything else of the pod. */
const HOLDER_OOM_SCORE = -998;

function networkOf(sandbox: SandboxRecord): ContainerSpec['network'] {
  return sandbox.netns === undefined ? { mode: 'host' } : { mode: 'namespace', path: sandbox.netns, resolvConfPath: sandbox.resolvConf };
}

function namespacesOf(
  { netns, shared }: SandboxRecord,
  { pid, ipc, targetId }: NamespaceOption,
  holder: string | undefined,
): NonNullable<ContainerSpec['namespaces']> {
  const uts = netns === undefined ? 'host' : shared?.uts;
  const kept = ipc === 'NODE' ? 'host' : shared?.ipc;
  return {
    ...(pid === 'NODE' && { pid: 'host' as const }),
    ...(pid === 'TARGET' && { pid: `container:${targetId}` }),
    ...(pid === 'POD' && holder !== undefined && { pid: `container:${holder}` }),
    ...(kept !== undefined && { ipc: kept }),
    ...(uts !== undefined && { uts }),
  };
}

/**
 * What is the same for all containers of the pod, where a container has not put something else there: shared memory,
 * and on the host's network the resolver's file, which would be the host's.
 */
function sharedMounts({ shared, netns, resolvConf }: SandboxRecord, { mounts }: ContainerConfig): MountSpec[] {
  const places = [
    { target: '/dev/shm', source: shared?.shm },
    { target: '/etc/resolv.conf', source: netns === undefined ? resolvConf : undefined },
  ];
  return places.flatMap(({ target, source }): MountSpec[] =>
    source === undefined || mounts.some(({ containerPath }) => containerPath.replace(/\/+$/, '') === target)
      ? []
      : [{ type: 'bind', source, target, readOnly: false, propagation: 'rprivate' }],
  );
}

/** `command` replaces the image's ENTRYPOINT (and with it CMD); `args` replaces CMD. */
function commandOf(config: ContainerConfig, image: Image): string[] {
  const { Entrypoint, Cmd } = image.document.config;
  if (config.command.length > 0) return [...config.command, ...config.args];
  return [...(Entrypoint ?? []), ...(config.args.length > 0 ? config.args : Cmd ?? [])];
}

function userOf({ linux: { securityContext } }: ContainerConfig, image: Image): string {
  const user = securityContext.runAsUser?.toString() ?? securityContext.runAsUsername ?? image.document.config.User ?? '';
  if (securityContext.runAsGroup === undefined) return user;
  return `${user.split(':')[0] || '0'}:${securityContext.runAsGroup}`;
}

function mergeEnvironment(base: readonly string[], own: readonly { readonly key: string; readonly value: string }[]): string[] {
  const merged = new Map(base.map((entry) => [entry.split('=', 1)[0]!, entry]));
  for (const { key, value } of own) merged.set(key, `${key}=${value}`);
  return [...merged.values()];
}

function mount({ containerPath, hostPath, readonly, propagation }: CriMount): MountSpec {
  const kinds = { PRIVATE: 'rprivate', HOST_TO_CONTAINER: 'rslave', BIDIRECTIONAL: 'rshared' } as const;
  // A pod's readOnly is of the mount alone, as recursiveReadOnly's default has it.
  return {
    type: 'bind',
    source: hostPath,
    target: containerPath,
    readOnly: readonly,
    propagation: kinds[propagation],
    ...(readonly ? { recursion: 'writable' as const } : {}),
  };
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGWINCH: 28,
  SIGPWR: 30,
};

function stopSignalOf(image: Image): number | undefined {
  const name = image.document.config.StopSignal;
  if (!name) return undefined;
  const upper = name.toUpperCase();
  return (
    SIGNALS[upper] ??
    SIGNALS[`SIG${upper}`] ??
    (/^\d+$/.test(name) ? Number(name) : upper.startsWith('SIGRTMIN+') ? 34 + Number(upper.slice(9)) : undefined)
  );
}
