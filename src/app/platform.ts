import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { openLogStore } from '../control-plane/store/log/open-log-store.ts';
import { openHost } from '../host/open.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { systemRandom, type Random } from '../lib/random.ts';
import { UndoStack } from '../lib/undo.ts';
import { Closing } from './closing.ts';
import { openControlPlane, type ControlPlane } from './control-plane.ts';
import type { Engine } from './engine.ts';
import { linkDockerSocket, unlinkDockerSocket } from './docker-link.ts';
import { openInnerAddress } from './inner-address.ts';
import { openNodeEngine } from './node-engine.ts';
import { openInstance, usedAddresses, type Home } from './home.ts';
import type { InstanceConfig } from './instance.ts';
import { lockInstance } from './instance-lock.ts';
import { announceRegistry, innerRegistryName, openPlatformRegistry, type RegistryAccess } from './registry.ts';
import { startNode, type RunningNode } from './node.ts';
import { createPhaseTimer } from './phases.ts';
import { askNode, createVolumeRemover, localPathRoot } from './remove-volume.ts';
import { VERSION } from './version.ts';
import { nameHolder } from './taken-port.ts';
import { startTicksOf } from './process-mark.ts';
import type { ControlPlanePart } from './settings.ts';
import { writeStatus, type DaemonStatus } from './status.ts';

export interface PlatformOptions {
  readonly home: Home;
  readonly nodeName: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly onPhase?: (name: string, ms: number) => void;
  /** Where the Kubernetes API listens; loopback where it is left out. */
  readonly apiAddress?: string;
  /** A node that was not heard of for so long is not ready; nodes report each 10 s. 40 s where it is left out. */
  readonly nodeMonitorGraceMs?: number;
  /** Who may use the registry beside this machine's own programs: pods may pull where it is left out. */
  readonly registry?: RegistryAccess;
  /** Whether /var/run/docker.sock is to lead here. */
  readonly standardDockerSocket?: boolean;
  /** Parts of the control plane that something else does. */
  readonly without?: readonly ControlPlanePart[];
}

export interface Platform {
  readonly status: DaemonStatus;
  readonly config: InstanceConfig;
  readonly engine: Engine;
  readonly controlPlane: ControlPlane;
  readonly node: RunningNode;
  /**
   * `stopContainers`: everything that runs ends, and nothing is left on the host; else containers and pods go on
   * without us.
   * @throws LongshoreError after all parts were stopped, for those that did not do so in good order
   */
  close(options: { readonly stopContainers: boolean; readonly onPhase?: (name: string, ms: number) => void }): Promise<void>;
}

/**
 * Starts everything in this process: engine with its Docker API, state store, API server, controllers, scheduler and a node.
 * Ready when docker and kubectl answer and the node is registered.
 * @throws LongshoreError `conflict` while another process runs this home's instance, and what the parts throw that can't start
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { home, logger, clock = systemClock, random = systemRandom } = options;
  const startedAt = new Date(clock.now()).toISOString();
  const phases = createPhaseTimer(clock, options.onPhase ?? (() => {}));
  const undo = new UndoStack();
  const unlock = await lockInstance(home);
  undo.push(unlock);
  try {
    const host = await openHost({ clock });
    const config = await openInstance(home, random, options.nodeName, () => usedAddresses(host.links), options.apiAddress);
    await mkdir(home.node, { recursive: true, mode: 0o711 });

    // The engine and the control plane know nothing of each other, so they start side by side.
    const engineOpening = phases.time('engine', () =>
      openNodeEngine({
        folder: home.engine,
        nodeFolder: home.node,
        instance: config.id,
        host,
        clock,
        random,
        logger,
        dockerSocket: home.dockerSocket,
        insecureRegistries: [innerRegistryName(config)],
      }),
    );
    const nodeSocket = join(home.run, 'node.sock');
    const controlPlaneOpening = (async () => {
      const store = await phases.time('store', () => openLogStore({ path: home.store, clock, logger: logger.child({ room: 'store' }) }));
      return openControlPlane({
        store,
        pkiFolder: home.pki,
        config,
        address: config.listen ?? '127.0.0.1',
        clock,
        random,
        logger,
        phases,
        localPathRoot: localPathRoot(home),
        removeLocalPath: (api) => createVolumeRemover(localPathRoot(home), config.nodeName, askNode(api)),
        ...(options.nodeMonitorGraceMs !== undefined && { nodeMonitorGraceMs: options.nodeMonitorGraceMs }),
        without: options.without ?? [],
        connectNode: (name) => (name === config.nodeName ? connectSocket(nodeSocket) : undefined),
      });
    })();
    const inner = openInnerAddress({ links: host.links, config, logger });
    const [engineResult, controlPlaneResult, innerResult] = await Promise.allSettled([engineOpening, controlPlaneOpening, inner]);
    if (engineResult.status === 'fulfilled') undo.push(() => engineResult.value.close({ stopContainers: false }));
    if (controlPlaneResult.status === 'fulfilled') undo.push(() => controlPlaneResult.value.close());
    if (innerResult.status === 'fulfilled') undo.push(() => innerResult.value({ remove: false }));
    if (engineResult.status === 'rejected') throw engineResult.reason;
    if (controlPlaneResult.status === 'rejected') throw await nameHolder(controlPlaneResult.reason, host.ports, home, config);
    if (innerResult.status === 'rejected') throw await nameHolder(innerResult.reason, host.ports, home, config);
    const closeInner = innerResult.value;
    const { engine, cri } = engineResult.value;
    const controlPlane = controlPlaneResult.value;

    await writeFile(home.kubeconfig + '.new', controlPlane.api.adminKubeconfig(), { mode: 0o600 });
    await chmod(home.kubeconfig + '.new', 0o600);
    const { rename } = await import('node:fs/promises');
    await rename(home.kubeconfig + '.new', home.kubeconfig);

    const registry = await openPlatformRegistry({
      images: engine.images,
      config,
      access: options.registry ?? 'read',
      clock,
      random,
      logger: logger.child({ room: 'registry' }),
    });
    undo.push(() => registry.close());
    if (options.standardDockerSocket) {
      await linkDockerSocket(home.dockerSocket);
      undo.push(() => unlinkDockerSocket(home.dockerSocket));
    }

    const node = await startNode({
      host, cri, folder: home.node, config, clock, random, logger: logger.child({ house: 'node' }), labels: {},
      transport: controlPlane.transportFor(`system:node:${config.nodeName}`, ['system:nodes', 'system:authenticated']),
      readTransport: controlPlane.transportFor('system:kube-controller-manager'),
    });
    undo.push(() => node.close({ remove: false }));
    await listenSocket(node.api, nodeSocket);
    // Without controllers of ours nobody gives the node its range of addresses until somebody else's run.
    const later = options.without?.includes('controllers') === true;
    if (later) node.ready.catch((error: unknown) => logger.error('the node did not start', { error: messageOf(error) }));
    await phases.time('node', () =>
      Promise.all([
        later ? undefined : node.ready,
        announceRegistry(controlPlane.transportFor('longshore', ['system:masters', 'system:authenticated']), registry),
      ]),
    );

    const status: DaemonStatus = {
      pid: process.pid,
      startTicks: (await startTicksOf(process.pid)) ?? '',
      version: VERSION,
      instance: config.id,
      home: home.root,
      docker: `unix://${home.dockerSocket}`,
      api: controlPlane.api.url,
      kubeconfig: home.kubeconfig,
      registry: registry.name,
      registryForPods: registry.innerName,
      nodeAddress: config.nodeAddress,
      startedAt,
      phases: phases.taken,
    };
    await writeStatus(home, status);
    undo.release();
    return {
      status, config, engine, controlPlane, node,
      async close({ stopContainers, onPhase }) {
        const closing = new Closing({ what: 'the platform', home: home.root, clock, logger, onPhase });
        await closing.step('node', () => node.close({ remove: stopContainers }));
        await closing.step('control plane', async () => {
          await controlPlane.close();
          await closeInner({ remove: stopContainers });
        });
        await closing.step('registry', async () => {
          await registry.close();
          await unlinkDockerSocket(home.dockerSocket);
        });
        await closing.step('engine', () => engineResult.value.close({ stopContainers }));
        // Last: whoever finds them gone may take away what is left.
        await closing.attempt('status', () => rm(home.statusFile, { force: true }));
        await unlock();
        closing.finish();
      },
    };
  } catch (error) {
    await undo.run();
    throw error;
  }
}

/** A connection to the API of a node in this process. */
function connectSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Makes a node's API answer on a socket that root alone may open. */
async function listenSocket(server: Server, path: string): Promise<void> {
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  await chmod(path, 0o600);
}
