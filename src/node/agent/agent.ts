import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { EventWriter } from '../../client/events.ts';
import { InformerFactory } from '../../client/informer-factory.ts';
import { nodes, pods, services } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Node, Pod, Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { Cri } from '../cri/cri.ts';
import type { PodVolumes } from '../volumes/volumes.ts';
import { isTerminal, refusal } from './admission.ts';
import type { AgentContext } from './context.ts';
import { startEviction } from './eviction.ts';
import { startHeartbeat } from './heartbeat.ts';
import { ImagePuller } from './image-puller.ts';
import { allocatable, type NodeFacts } from './node-status.ts';
import { PodWorker } from './pod-worker.ts';
import { Prober } from './probes/prober.ts';
import { StatusWriter } from './status-writer.ts';
import { untilStopped } from './stopping.ts';
import { LABEL } from './view.ts';

export interface AgentOptions {
  readonly transport: Transport;
  readonly cri: Cri;
  readonly volumes: PodVolumes;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly facts: NodeFacts;
  readonly clusterDns: readonly string[];
  readonly clusterDomain?: string;
  readonly drainMs?: number;
  /** Whether this node still sends new connections to a pod at an address, as its proxy knows. */
  readonly takesTraffic?: (address: string) => boolean;
}

export interface Agent {
  /** The node is registered, and its pods of before are taken up. */
  readonly ready: Promise<void>;
  /** For the node's API: which worker has this pod. */
  find(namespace: string, name: string): PodWorker | undefined;
  pods(): readonly Pod[];
  /** Ends the agent; containers go on running. */
  close(): Promise<void>;
}

/** How often files from ConfigMaps, Secrets and tokens are brought up to date, in milliseconds. */
const REFRESH_MS = 30_000;

/** How long steps that are under way may take when the agent stops, in milliseconds. */
const CLOSE_MS = 3000;

/** The node agent: turns the pods that are bound to this node into calls on CRI, and tells the API what became of them. */
export function startAgent(options: AgentOptions): Agent {
  const { transport, cri, clock, random, logger, facts, volumes } = options;
  const informers = new InformerFactory({ transport, clock, random, logger });
  const podInformer = informers.for<Pod>(pods, { fieldSelector: `spec.nodeName=${facts.name}` });
  const serviceInformer = informers.for<Service>(services);
  const nodeInformer = informers.for<Node>(nodes, { fieldSelector: `metadata.name=${facts.name}` });
  const events = new EventWriter({ transport, clock, logger, component: 'kubelet', host: facts.name });
  const stopping = new AbortController();
  const context: AgentContext = {
    cri: untilStopped(cri, stopping.signal), transport, volumes, events, clock, random, logger,
    images: new ImagePuller({ cri, transport, events, clock }),
    environment: {
      transport, allocatable, nodeAddress: facts.address,
      *services(namespace) {
        yield* serviceInformer.store.inNamespace(namespace);
        if (namespace !== 'default') {
          const kubernetes = serviceInformer.store.get('default/kubernetes');
          if (kubernetes) yield kubernetes;
        }
      },
    },
    statuses: new StatusWriter(transport, clock, logger),
    prober: new Prober({ cri, events, clock, random, userAgent: 'kube-probe/1.36' }),
    nodeName: facts.name, nodeAddress: facts.address, nodeMemoryBytes: totalmem(),
    clusterDns: options.clusterDns, clusterDomain: options.clusterDomain ?? 'cluster.local', folder: facts.folder,
    hostResolv: () => resolvConf('/etc/resolv.conf'),
    drainMs: options.drainMs ?? 500, takesTraffic: options.takesTraffic ?? (() => false),
  };
  const workers = new Map<string, PodWorker>();
  const byName = new Map<string, PodWorker>();
  let podCidr: string | undefined;
  let closed = false;

  const nameOf = (pod: Pod): string => `${pod.metadata?.namespace}/${pod.metadata?.name}`;
  const gone = (uid: string): void => {
    const worker = workers.get(uid);
    workers.delete(uid);
    if (worker && byName.get(nameOf(worker.pod)) === worker) byName.delete(nameOf(worker.pod));
  };
  const onPod = (pod: Pod): void => {
    const uid = pod.metadata?.uid ?? '';
    const known = workers.get(uid);
    if (known) {
      known.update(pod);
      return;
    }
    const worker = new PodWorker(context, pod, gone);
    // What has begun was taken once.
    const node = nodeInformer.store.get(facts.name);
    const why =
      node === undefined || pod.status?.startTime !== undefined || isTerminal(pod) || pod.metadata?.deletionTimestamp !== undefined
        ? undefined
        : refusal(
            pod,
            [...workers.values()].filter((other) => !other.failed && !isTerminal(other.pod)).map((other) => other.pod),
            node,
          );
    if (why) worker.refuse(why);
    workers.set(uid, worker);
    byName.set(nameOf(pod), worker);
    worker.poke();
  };

  let resolveNetwork = (): void => {};
  /** The node has a pod range, and its network is set up. */
  const networkReady = new Promise<void>((resolve) => (resolveNetwork = resolve));
  const prepare = async (node: Node): Promise<void> => {
    const cidr = node.spec?.podCIDR;
    if (!cidr || cidr === podCidr) return;
    try {
      await cri.updateRuntimeConfig(cidr);
    } catch (error) {
      logger.error("could not set up the node's pod network", { podCidr: cidr, error: messageOf(error) });
      return;
    }
    podCidr = cidr;
    resolveNetwork();
    for (const worker of workers.values()) worker.poke();
  };
  const heartbeat = startHeartbeat({ transport, cri, facts, clock, logger, prepare });
  const onNode = (node: Node): void => {
    if (node.spec?.podCIDR && node.spec.podCIDR !== podCidr) heartbeat.touch();
  };
  nodeInformer.on({ add: onNode, update: (_, node) => onNode(node) });

  const stopEvents = cri.onContainerEvent(({ containerEventType, containerId }) => {
    if (containerEventType !== 'CONTAINER_STOPPED_EVENT') return;
    cri.listContainers({ id: containerId }).then(
      ([container]) => workers.get(container?.labels[LABEL.podUid] ?? '')?.poke(),
      (error: unknown) => logger.warn('could not look at a container that ended', { container: containerId, error: messageOf(error) }),
    );
  });

  const ready = (async () => {
    informers.start();
    await informers.synced();
    if (closed) return;
    // Pods of before go on as they are; new ones need the network first.
    podInformer.on({ add: onPod, update: (_, pod) => onPod(pod), delete: (pod) => workers.get(pod.metadata?.uid ?? '')?.remove() });
    await removeOrphans();
    await Promise.all([heartbeat.registered, networkReady]);
  })();

  /** Sandboxes and folders of pods that were deleted while no agent ran. */
  async function removeOrphans(): Promise<void> {
    for (const { id, labels } of await cri.listPodSandbox()) {
      if (workers.has(labels[LABEL.podUid] ?? '')) continue;
      logger.info('removing what is left of a pod that was deleted meanwhile', { pod: `${labels[LABEL.podNamespace]}/${labels[LABEL.podName]}` });
      await cri.removePodSandbox(id);
    }
    for (const uid of await volumes.list()) if (!workers.has(uid)) await volumes.tearDown(uid);
  }

  let cancelRefresh = (): void => {};
  const refresh = (): void => {
    cancelRefresh = clock.after(REFRESH_MS, () => {
      void Promise.all(
        [...workers.values()]
          .filter(({ sandboxId }) => sandboxId !== undefined)
          .map(({ pod }) =>
            volumes
              .refresh(pod)
              .catch((error: unknown) =>
                logger.debug("could not bring a pod's files up to date", { pod: nameOf(pod), error: messageOf(error) }),
              ),
          ),
      ).then(() => {
        if (!closed) refresh();
      });
    });
  };
  refresh();
  const stopEviction = startEviction({ volumes, clock, logger, pods: () => workers.values() });

  return {
    ready,
    find: (namespace, name) => byName.get(`${namespace}/${name}`),
    pods: () => [...workers.values()].map(({ pod }) => pod),
    async close() {
      closed = true;
      stopping.abort(new LongshoreError('canceled', 'the agent is stopping'));
      cancelRefresh();
      stopEviction();
      stopEvents();
      heartbeat.close();
      informers.stop();
      context.prober.close();
      context.statuses.close();
      // What is under way ends, or is left where it stands: the next agent looks again.
      await Promise.race([Promise.all([...workers.values()].map((worker) => worker.close())), clock.sleep(CLOSE_MS)]);
    },
  };
}

async function resolvConf(path: string): Promise<{ servers: string[]; searches: string[]; options: string[] }> {
  let text = '';
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  const words = (keyword: string): string[][] =>
    text
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([first]) => first === keyword)
      .map(([, ...rest]) => rest);
  return { servers: words('nameserver').flat(), searches: words('search').at(-1) ?? [], options: words('options').flat() };
}
