import { EventWriter } from '../client/events.ts';
import { InformerFactory } from '../client/informer-factory.ts';
import type { Transport } from '../client/transport.ts';
import type { Host } from '../host/host.ts';
import { startAgent, type Agent } from '../node/agent/agent.ts';
import { createNodeApi } from '../node/agent/server/node-api.ts';
import { allocatable } from '../node/agent/node-status.ts';
import type { Cri } from '../node/cri/cri.ts';
import { systemResolvers } from '../node/dns/forward.ts';
import { startDns, type DnsServer } from '../node/dns/server.ts';
import { ClusterZone } from '../node/dns/zone.ts';
import { startProxy } from '../node/proxy/proxy.ts';
import { startRoutes } from '../node/proxy/routes.ts';
import { warnOfTakenPorts } from '../node/proxy/taken-ports.ts';
import { createPodVolumes } from '../node/volumes/pod-volumes.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { Undo } from '../lib/undo.ts';
import type { InstanceConfig } from './instance.ts';
import { KUBERNETES_VERSION, VERSION } from './version.ts';
import type { Server } from 'node:http';

export interface NodeOptions {
  readonly host: Host;
  readonly cri: Cri;
  readonly folder: string;
  readonly config: Pick<InstanceConfig, 'id' | 'nodeName' | 'nodeAddress' | 'nodePort' | 'clusterCidr' | 'serviceCidr' | 'dnsAddress'>;
  /** As `system:node:<name>`. */
  readonly transport: Transport;
  /** For the proxy and the name server: reads Services, EndpointSlices, pods and nodes. */
  readonly readTransport: Transport;
  readonly labels: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface RunningNode {
  readonly agent: Agent;
  /** Speaks the node's API over any connection that it is given; listens nowhere by itself. */
  readonly api: Server;
  /** The agent is at work, Services and names answer. */
  readonly ready: Promise<void>;
  close(options: { readonly remove: boolean }): Promise<void>;
}

const MAX_PODS = 110;

/** A node: the agent with CRI over the engine, the Service proxy, routes to other nodes, and the name server. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { host, cri, config, clock, random, logger, folder } = options;
  const volumes = createPodVolumes({ transport: options.transport, mounts: host.mounts, folder, clock, allocatable });
  const facts = {
    name: config.nodeName,
    address: config.nodeAddress,
    port: config.nodePort,
    kubeletVersion: KUBERNETES_VERSION,
    runtimeVersion: VERSION,
    folder,
    labels: options.labels,
    maxPods: MAX_PODS,
  };
  const agent = startAgent({
    transport: options.transport,
    cri,
    volumes,
    clock,
    random,
    logger: logger.child({ room: 'agent' }),
    facts,
    clusterDns: [config.dnsAddress],
    takesTraffic: (address) => proxy.reaches(address),
  });

  const informers = new InformerFactory({ transport: options.readTransport, clock, random, logger });
  const proxy = startProxy({
    informers,
    nft: host.nft,
    clock,
    logger: logger.child({ room: 'proxy' }),
    table: `longshore-${config.id}-services`,
    nodeName: config.nodeName,
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
  });
  const events = new EventWriter({ transport: options.transport, clock, logger, component: 'kube-proxy', host: config.nodeName });
  const stopWarning = warnOfTakenPorts({ informers, ports: host.ports, events, logger: logger.child({ room: 'proxy' }), nodeName: config.nodeName });
  const routes = startRoutes({ informers, links: host.links, sysctl: host.sysctl, logger: logger.child({ room: 'routes' }), nodeName: config.nodeName });
  const zone = new ClusterZone(informers);
  informers.start();

  // The cluster's name server has the same address on every node, on a link of each node's own.
  const undoLink: Undo = await host.links.addDummy(`ls${config.id.slice(0, 4)}dns`, [`${config.dnsAddress}/32`]);
  let dns: DnsServer | undefined;
  const started = (async () => {
    dns = await startDns({
      zone,
      address: config.dnsAddress,
      upstreams: await systemResolvers('/etc/resolv.conf', [config.dnsAddress]),
      logger: logger.child({ room: 'dns' }),
    });
    await Promise.all([agent.ready, proxy.synced, informers.synced()]);
  })();

  const nodeApi = createNodeApi({ agent, cri, clock, logger: logger.child({ room: 'node-api' }), nodeName: config.nodeName });
  return {
    agent,
    api: nodeApi,
    ready: started,
    async close({ remove }) {
      nodeApi.close();
      nodeApi.closeAllConnections();
      await agent.close();
      stopWarning();
      informers.stop();
      await proxy.close({ remove });
      await routes.close({ remove });
      await dns?.close();
      if (remove) await undoLink();
    },
  };
}
