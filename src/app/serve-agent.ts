import { mkdir, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { HttpTransport } from '../client/http-transport.ts';
import { nodes, services } from '../client/resources.ts';
import type { Transport } from '../client/transport.ts';
import { openHost } from '../host/open.ts';
import { systemClock } from '../lib/clock.ts';
import { isCode, LongshoreError, messageOf } from '../lib/errors.ts';
import { createLogger, type Logger, type LogLevel } from '../lib/log.ts';
import { systemRandom } from '../lib/random.ts';
import { UndoStack } from '../lib/undo.ts';
import type { Node, Service } from '../types/kubernetes/generated/core-v1.ts';
import { Closing } from './closing.ts';
import { machineAddress, openInstance, usedAddresses, type Home } from './home.ts';
import { lockInstance } from './instance-lock.ts';
import { joinedUpstream, nodeCredentials } from './join.ts';
import { explainJoin } from './join-errors.ts';
import { openNodeEngine } from './node-engine.ts';
import { createNodeAuthorizer, selfSigned } from './node-authorizer.ts';
import { nodeListener } from './node-listener.ts';
import { startNode } from './node.ts';
import { createPhaseTimer, type OnPhase } from './phases.ts';
import { startTicksOf } from './process-mark.ts';
import { runDaemon, type Served } from './run-daemon.ts';
import { writeStatus, type DaemonStatus } from './status.ts';
import { VERSION } from './version.ts';

export interface ServeAgentOptions {
  readonly nodeName: string;
  /** This machine's address for the cluster; what was named once is kept. */
  readonly address?: string;
}

/** How long a node may take until the cluster calls it Ready, in milliseconds, and how often we look. */
const READY_MS = 60_000;
const LOOK_MS = 50;

/** The daemon of a node that has joined a cluster: see {@link runDaemon}. Its pods go on when it ends by a signal. */
export async function serveAgent(home: Home, options: ServeAgentOptions): Promise<void> {
  await runDaemon(home, (useLogger, onPhase) =>
    startAgentNode(
      home,
      options,
      useLogger(
        createLogger((line) => void process.stderr.write(line), Date.now, (process.env.LONGSHORE_LOG as LogLevel | undefined) ?? 'info'),
      ),
      onPhase,
    ),
  );
}

/**
 * Engine, agent, proxy and name server in this process, the control plane by HTTPS. Resolves once the cluster calls the node Ready.
 * @throws LongshoreError `invalid` when this machine has not joined or has no address, and what explainJoin tells
 */
async function startAgentNode(home: Home, options: ServeAgentOptions, logger: Logger, onPhase: OnPhase): Promise<Served> {
  const startedAt = new Date(systemClock.now()).toISOString();
  const phases = createPhaseTimer(systemClock, onPhase);
  if (options.address !== undefined && isIP(options.address) !== 4) {
    throw new LongshoreError('invalid', `--address ${options.address} is no IPv4 address`);
  }
  const undo = new UndoStack();
  const unlock = await lockInstance(home);
  undo.push(unlock);
  try {
    const host = await openHost();
    const credentials = await nodeCredentials(home.pki, options.nodeName, undefined);
    const config = await openInstance(home, systemRandom, options.nodeName, () => usedAddresses(host.links), options.address);
    const address = config.listen ?? machineAddress();
    if (address === undefined) {
      throw new LongshoreError('invalid', 'this machine has no address but loopback', {
        remedy: 'Name one: longshore agent --address ADDRESS',
      });
    }
    const transport = new HttpTransport({ config: credentials, clock: systemClock });
    undo.push(() => transport.close());
    const upstream = await joinedUpstream(home.pki);
    const ranges = {
      ...(await phases.time('api server', () => clusterRanges(transport, credentials.server))),
      ...(upstream?.clusterCidr !== undefined && { clusterCidr: upstream.clusterCidr }),
      ...(upstream?.serviceCidr !== undefined && { serviceCidr: upstream.serviceCidr }),
    };
    await mkdir(home.node, { recursive: true, mode: 0o711 });
    const engine = await phases.time('engine', () =>
      openNodeEngine({
        folder: home.engine,
        nodeFolder: home.node,
        instance: config.id,
        host,
        clock: systemClock,
        random: systemRandom,
        logger,
        dockerSocket: home.dockerSocket,
      }),
    );
    undo.push(() => engine.close({ stopContainers: false }));

    const node = await startNode({
      host,
      cri: engine.cri,
      folder: home.node,
      config: { ...config, nodeName: options.nodeName, nodeAddress: address, ...ranges },
      transport,
      readTransport: transport,
      labels: {},
      clock: systemClock,
      random: systemRandom,
      logger,
    });
    undo.push(() => node.close({ remove: false }));
    // Of our cluster, the node shows the certificate that it joined with, and lets in nobody but the API server. Of another, it asks who may do what.
    const server =
      upstream === undefined
        ? nodeListener({
            certificate: credentials.certificate ?? '',
            key: credentials.key ?? '',
            authority: credentials.ca ?? '',
            api: node.api,
            logger,
          })
        : nodeListener({
            ...(await selfSigned(options.nodeName, address)),
            authority: upstream.clientCa,
            api: node.api,
            logger,
            authorize: createNodeAuthorizer({ transport, nodeName: options.nodeName, clock: systemClock }),
          });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.nodePort, address, resolve));
    const closeServer = (): void => {
      server.close();
      server.closeAllConnections();
    };
    undo.push(closeServer);
    await phases.time('node', () => node.ready);
    await phases.time('ready', () => untilReady(transport, options.nodeName));

    const status: DaemonStatus = {
      pid: process.pid,
      startTicks: (await startTicksOf(process.pid)) ?? '',
      version: VERSION,
      instance: config.id,
      home: home.root,
      docker: `unix://${home.dockerSocket}`,
      node: options.nodeName,
      api: credentials.server,
      kubeconfig: undefined,
      registry: undefined,
      registryForPods: undefined,
      nodeAddress: address,
      startedAt,
      phases: phases.taken,
    };
    await writeStatus(home, status);
    logger.info('the node is up', { node: options.nodeName, address, api: credentials.server });
    undo.release();
    return {
      status,
      async close({ stopContainers, onPhase }) {
        const closing = new Closing({ what: 'the node', home: home.root, clock: systemClock, logger, onPhase });
        closeServer();
        await closing.step('node', () => node.close({ remove: stopContainers }));
        await closing.step('engine', () => engine.close({ stopContainers }));
        transport.close();
        await closing.step('status', () => rm(home.statusFile, { force: true }));
        await unlock();
        closing.finish();
      },
    };
  } catch (error) {
    await undo.run();
    throw error;
  }
}

/**
 * The cluster's ranges, as this version lays them out: the name server has the tenth address of the Services' range,
 * and pods' addresses lie one range before.
 */
async function clusterRanges(
  transport: HttpTransport,
  server: string,
): Promise<{ readonly dnsAddress: string; readonly clusterCidr: string; readonly serviceCidr: string }> {
  let kubernetes: Service;
  try {
    kubernetes = await transport.get<Service>(services, 'default', 'kubernetes');
  } catch (error) {
    throw explainJoin(error, server, 'credentials');
  }
  const [a, b] = (kubernetes.spec?.clusterIP ?? '').split('.').map(Number);
  return { dnsAddress: `${a}.${b}.0.10`, clusterCidr: `${a}.${(b ?? 1) - 1}.0.0/16`, serviceCidr: `${a}.${b}.0.0/16` };
}

/** @throws LongshoreError `timeout`, with what the node says of itself */
async function untilReady(transport: Transport, name: string): Promise<void> {
  let said = 'it is not registered';
  for (const end = systemClock.monotonic() + READY_MS; systemClock.monotonic() < end; await systemClock.sleep(LOOK_MS)) {
    try {
      const { status } = await transport.get<Node>(nodes, undefined, name);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      if (ready?.status === 'True') return;
      said = ready?.message ?? 'it says nothing of itself';
    } catch (error) {
      if (!isCode(error, 'not-found') && !isCode(error, 'unavailable')) throw error;
      said = messageOf(error);
    }
  }
  throw new LongshoreError('timeout', `the node was not Ready within ${READY_MS / 1000} s: ${said}`, {
    object: `node ${name}`,
    remedy: 'See the log (longshore logs), and on the server: kubectl describe node',
  });
}
