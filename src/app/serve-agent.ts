import { mkdir } from 'node:fs/promises';
import { HttpTransport } from '../client/http-transport.ts';
import { services } from '../client/resources.ts';
import { openHost } from '../host/open.ts';
import { systemClock } from '../lib/clock.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { createLogger, type LogLevel } from '../lib/log.ts';
import { systemRandom } from '../lib/random.ts';
import type { Service } from '../types/kubernetes/generated/core-v1.ts';
import { machineAddress, openInstance, usedAddresses, type Home } from './home.ts';
import { lockInstance } from './instance-lock.ts';
import { nodeCredentials, type JoinOptions } from './join.ts';
import { openNodeEngine } from './node-engine.ts';
import { nodeListener } from './node-listener.ts';
import { startNode } from './node.ts';

export interface ServeAgentOptions {
  readonly nodeName: string;
  readonly address?: string;
  readonly join?: JoinOptions;
}

/** A node of its own: engine, agent, proxy and name server in this process, the control plane by HTTPS. Runs until a signal; containers go on. */
export async function serveAgent(home: Home, options: ServeAgentOptions): Promise<void> {
  const logger = createLogger((line) => void process.stderr.write(line), Date.now, (process.env.LONGSHORE_LOG as LogLevel | undefined) ?? 'info');
  const unlock = await lockInstance(home);
  const host = await openHost();
  const config = await openInstance(home, systemRandom, options.nodeName, () => usedAddresses(host.links));
  const address = options.address ?? machineAddress();
  if (address === undefined) throw new LongshoreError('invalid', 'this machine has no address but loopback', { remedy: 'Name one: longshore agent --address ADDRESS' });
  const credentials = await nodeCredentials(home.pki, options.nodeName, options.join);
  const transport = new HttpTransport({ config: credentials, clock: systemClock });
  await mkdir(home.node, { recursive: true, mode: 0o711 });
  const engine = await openNodeEngine({ folder: home.engine, nodeFolder: home.node, instance: config.id, host, clock: systemClock, random: systemRandom, logger, dockerSocket: home.dockerSocket });

  const ranges = await clusterRanges(transport);
  const node = await startNode({
    host, cri: engine.cri, folder: home.node, config: { ...config, nodeName: options.nodeName, nodeAddress: address, ...ranges }, transport, readTransport: transport, labels: {},
    clock: systemClock, random: systemRandom, logger,
  });
  // The node shows the certificate that it joined with, and lets in nobody but the API server.
  const server = nodeListener({ certificate: credentials.certificate ?? '', key: credentials.key ?? '', authority: credentials.ca ?? '', api: node.api, logger });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(config.nodePort, address, resolve));
  await node.ready;
  logger.info('the node is up', { node: options.nodeName, address, api: credentials.server });

  const code = await new Promise<number>((resolve) => {
    const end = (): void => {
      server.close();
      server.closeAllConnections();
      node.close({ remove: false }).then(() => engine.close({ stopContainers: false })).then(() => resolve(0), (error: unknown) => {
        logger.error('could not stop in good order', { error: messageOf(error) });
        resolve(1);
      });
    };
    process.once('SIGTERM', end).once('SIGINT', end);
  });
  transport.close();
  await unlock();
  process.exit(code);
}

/** The cluster's ranges, as this version lays them out: the name server has the tenth address of the Services' range, and pods' addresses lie one range before. */
async function clusterRanges(transport: HttpTransport): Promise<{ readonly dnsAddress: string; readonly clusterCidr: string; readonly serviceCidr: string }> {
  const kubernetes = await transport.get<Service>(services, 'default', 'kubernetes');
  const [a, b] = (kubernetes.spec?.clusterIP ?? '').split('.').map(Number);
  return { dnsAddress: `${a}.${b}.0.10`, clusterCidr: `${a}.${(b ?? 1) - 1}.0.0/16`, serviceCidr: `${a}.${b}.0.0/16` };
}
