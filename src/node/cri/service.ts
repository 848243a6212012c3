import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Container, Containers } from '../../engine/containers/containers.ts';
import { resolveUser } from '../../engine/containers/users.ts';
import type { Images } from '../../engine/images/images.ts';
import type { Networks } from '../../engine/network/network.ts';
import type { Clock } from '../../lib/clock.ts';
import { isCode, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { containerSpec, holderSpec, readOpaque } from './container-spec.ts';
import { containerStatus, containerSummary } from './container-status.ts';
import type { ContainerConfig, Cri, CriContainerStatus, PodSandboxState } from './cri.ts';
import { attachStream, collectExec, streamOf } from './exec.ts';
import { imageStatus, pull } from './image-service.ts';
import { Sandboxes, type SandboxHost } from './sandboxes.ts';

export interface CriServiceOptions {
  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly host: SandboxHost;
  /** Where sandboxes are kept. */
  readonly folder: string;
  readonly runtimeVersion: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Opens a TCP connection to a loopback port inside of a network namespace. */
  readonly connectInside: (netns: string, port: number) => Promise<Duplex>;
}

export interface RecoverableCri extends Cri {
  /** Reads the sandboxes of an earlier daemon. @returns the ids of those that have a network. Call it before the containers are recovered */
  recover(): Promise<readonly string[]>;
  /** Removes containers whose sandbox is not known any more. Call it when the containers are recovered. */
  removeStrays(): Promise<void>;
}

/**
 * CRI over our own engine, called in-process. Sandboxes have no process of their own, but kept namespaces; only where
 * containers share their processes there is one, for a PID namespace lives as long as its first process.
 */
export async function openCriService(options: CriServiceOptions): Promise<RecoverableCri> {
  const { containers, images, networks, host, folder, clock, random, logger } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const sandboxes = new Sandboxes({ networks, host, folder, clock, random, logger });
  const ofSandbox = (id: string): readonly Container[] => containers.list({ owner: 'cri' }).filter((container) => readOpaque(container).podSandboxId === id);
  const isHolder = (container: Container): boolean => readOpaque(container).holder === true;
  const sharesProcesses = (id: string): boolean => sandboxes.get(id).config.linux.securityContext.namespaceOptions.pid === 'POD';
  /** The running process that holds a sandbox's PID namespace. */
  const holderOf = (id: string): string | undefined =>
    sharesProcesses(id) ? ofSandbox(id).find((container) => isHolder(container) && container.status === 'running')?.id : undefined;
  const stateOf = (id: string, state: PodSandboxState): PodSandboxState =>
    state === 'SANDBOX_READY' && sharesProcesses(id) && holderOf(id) === undefined ? 'SANDBOX_NOTREADY' : state;
  const own = (id: string): Container => {
    const container = containers.get(id);
    if (container.spec.owner !== 'cri') {
      throw new LongshoreError('not-found', `container ${id} does not belong to a pod`, { object: `container ${id}` });
    }
    return container;
  };

  const users = new WeakMap<Container['spec'], CriContainerStatus['user']>();
  /** The user of a container's process, by the files of its root, which are there while it runs; remembered beyond its end. */
  const userOf = async ({ spec, status, rootfs }: Container): Promise<CriContainerStatus['user']> => {
    if (!users.has(spec) && status === 'running') {
      try {
        const { uid, gid, additionalGids } = await resolveUser(
          rootfs,
          spec.process.user,
          spec.process.additionalGids,
          spec.process.strictGroups,
        );
        users.set(spec, { uid, gid, supplementalGroups: additionalGids });
      } catch (error) {
        logger.debug("could not look up a container's user again", { error: messageOf(error) });
        users.set(spec, undefined);
      }
    }
    return users.get(spec);
  };

  return {
    recover: () => sandboxes.load(),
    async removeStrays() {
      const strays = containers.list({ owner: 'cri' }).filter((container) => !sandboxes.has(readOpaque(container).podSandboxId));
      for (const { id } of strays) await containers.remove(id, { force: true, volumes: true });
    },
    version: () => Promise.resolve({ runtimeName: 'longshore', runtimeVersion: options.runtimeVersion, runtimeApiVersion: 'v1' }),
    status: () =>
      Promise.resolve({
        runtimeReady: true,
        networkReady: sandboxes.networkReady,
        ...(sandboxes.networkReady ? {} : { message: 'this node has no pod range yet' }),
      }),
    updateRuntimeConfig: (podCidr) => sandboxes.setPodCidr(podCidr),

    async runPodSandbox(config) {
      const id = await sandboxes.run(config);
      if (!sharesProcesses(id)) return id;
      try {
        await containers.start((await containers.create(holderSpec(sandboxes.get(id), await sandboxes.pauseRoot(id)))).id);
      } catch (error) {
        await removeSandbox(id);
        throw error;
      }
      return id;
    },
    async stopPodSandbox(id) {
      if (!sandboxes.has(id)) return;
      const running = ofSandbox(id).filter(({ status }) => status === 'running' || status === 'paused');
      await Promise.all(running.filter((container) => !isHolder(container)).map((container) => containers.stop(container.id, { timeoutSeconds: 0 })));
      await Promise.all(running.filter(isHolder).map((container) => containers.stop(container.id, { timeoutSeconds: 0 })));
      await sandboxes.stop(id);
    },
    removePodSandbox: removeSandbox,
    podSandboxStatus(id) {
      const status = sandboxes.status(id);
      return Promise.resolve({ ...status, state: stateOf(id, status.state) });
    },
    listPodSandbox: (filter = {}) => Promise.resolve(sandboxes.list(filter).map((sandbox) => ({ ...sandbox, state: stateOf(sandbox.id, sandbox.state) }))),

    async createContainer(podSandboxId, config, sandboxConfig) {
      if (stateOf(podSandboxId, sandboxes.get(podSandboxId).state) !== 'SANDBOX_READY') {
        throw new LongshoreError('conflict', "the pod's sandbox is not running", { object: `sandbox ${podSandboxId}` });
      }
      const image = await images.get(config.image.image);
      const spec = containerSpec(sandboxes.get(podSandboxId), config, sandboxConfig, image, {
        holder: holderOf(podSandboxId),
        profile: await seccompProfile(config),
      });
      await mkdir(dirname(spec.logPath!), { recursive: true, mode: 0o755 });
      return (await containers.create(spec)).id;
    },
    startContainer: (id) => containers.start(own(id).id),
    async stopContainer(id, timeout) {
      await ignoreMissing(async () => containers.stop(own(id).id, { timeoutSeconds: timeout }));
    },
    async removeContainer(id) {
      await ignoreMissing(async () => containers.remove(own(id).id, { force: true, volumes: true }));
    },
    listContainers(filter = {}) {
      const wanted = containers.list({ owner: 'cri', ...(filter.labelSelector && { labels: filter.labelSelector }) });
      return Promise.resolve(
        wanted
          .filter(
            (container) =>
              !isHolder(container) &&
              (filter.id === undefined || container.id === filter.id) &&
              (filter.podSandboxId === undefined || readOpaque(container).podSandboxId === filter.podSandboxId),
          )
          .map(containerSummary),
      );
    },
    async containerStatus(id) {
      const container = own(id);
      return containerStatus(container, await userOf(container));
    },
    async updateContainerResources(id, resources) {
      await containers.update(own(id).id, {
        limits: {
          cpuShares: resources.cpuShares, cpuPeriod: resources.cpuPeriod, cpuQuota: resources.cpuQuota,
          ...(resources.memoryLimitInBytes > 0 && { memoryBytes: resources.memoryLimitInBytes }),
        },
      });
    },
    // The supervisor rotates its log itself, so there is nothing to reopen.
    reopenContainerLog: (id) => Promise.resolve(void own(id)),
    execSync: (id, cmd, timeoutSeconds, signal) => collectExec(containers, own(id).id, cmd, timeoutSeconds, clock, signal),
    async exec(id, { cmd, tty, stdin, consoleSize }) {
      const session = await containers.exec(own(id).id, { args: cmd, terminal: tty, stdin, ...(consoleSize && { consoleSize }) });
      return streamOf(session, session.exit.then(async ({ code }) => {
        // The command may be over before its last output has come.
        await session.closed;
        return code;
      }), (columns, rows) => session.resize(columns, rows), () => session.kill(9));
    },
    attach: (id, { stdin }) => attachStream(containers, own(id), stdin),
    portForward(id, port) {
      const sandbox = sandboxes.get(id);
      if (sandbox.state !== 'SANDBOX_READY') {
        throw new LongshoreError('conflict', `the pod's sandbox is not running`, { object: `sandbox ${id}` });
      }
      return options.connectInside(sandbox.netns ?? '/proc/self/ns/net', port);
    },
    async containerStats(id) {
      return statsOf(own(id));
    },
    async listContainerStats() {
      return Promise.all(containers.list({ owner: 'cri' }).filter((container) => container.status === 'running' && !isHolder(container)).map(statsOf));
    },
    onContainerEvent: (listener) =>
      containers.onEvent((event) => {
        if (event.container.spec.owner !== 'cri' || isHolder(event.container)) return;
        const type = (
          {
            create: 'CONTAINER_CREATED_EVENT',
            start: 'CONTAINER_STARTED_EVENT',
            die: 'CONTAINER_STOPPED_EVENT',
            destroy: 'CONTAINER_DELETED_EVENT',
          } as const
        )[event.action as 'create'];
        if (type) {
          listener({
            containerId: event.container.id,
            podSandboxId: readOpaque(event.container).podSandboxId,
            containerEventType: type,
            createdAt: BigInt(event.timeMs) * 1_000_000n,
          });
        }
      }),

    async listImages() {
      return (await images.list()).map((image) => imageStatus(image));
    },
    async imageStatus(name) {
      try {
        return imageStatus(await images.get(name));
      } catch (error) {
        if (isCode(error, 'not-found')) return undefined;
        throw error;
      }
    },
    pullImage: (name, auth, signal) => pull(images, name, auth, signal),
    async removeImage(name) {
      await ignoreMissing(async () => {
        const inUse = (id: string): string[] => containers.list().filter((container) => container.spec.image.id === id).map(({ id: user }) => user);
        await images.remove(name, { force: true, inUse });
      });
    },
    async imageFsInfo() {
      const usedBytes = (await images.list()).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      return { mountpoint: folder, usedBytes, inodesUsed: 0 };
    },
  };

  async function removeSandbox(id: string): Promise<void> {
    if (!sandboxes.has(id)) return;
    await Promise.all(ofSandbox(id).map((container) => containers.remove(container.id, { force: true, volumes: true })));
    await sandboxes.remove(id);
  }

  async function statsOf(container: Container): Promise<Awaited<ReturnType<Cri['containerStats']>>> {
    const usage = await containers.usage(container.id);
    const { metadata } = readOpaque(container);
    return {
      id: container.id, metadata, labels: container.spec.labels, timestamp: BigInt(Math.round(clock.now() * 1e6)),
      cpuUsageCoreNanoSeconds: BigInt(Math.round(usage?.cpuNanos ?? 0)), memoryWorkingSetBytes: BigInt(usage?.memoryWorkingSetBytes ?? 0),
      memoryUsageBytes: BigInt(usage?.memoryBytes ?? 0), writableLayerUsedBytes: 0n,
    };
  }
}

/** The seccomp profile of the node's that a container names. @throws `invalid` when there is none, or it is no JSON */
async function seccompProfile({ metadata, linux: { securityContext: { seccomp } } }: ContainerConfig): Promise<string | undefined> {
  if (seccomp?.profileType !== 'Localhost') return undefined;
  const path = seccomp.localhostRef ?? '';
  try {
    const text = await readFile(path, 'utf8');
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new LongshoreError('invalid', `cannot load seccomp profile "${path}": ${messageOf(error)}`, {
      object: `container ${metadata.name}`,
      remedy: `Put the profile on each node beneath ${dirname(path)}.`,
      cause: error,
    });
  }
}

/** CRI's stop and remove succeed when there is nothing left to stop or remove. */
async function ignoreMissing(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isCode(error, 'not-found')) throw error;
  }
}
