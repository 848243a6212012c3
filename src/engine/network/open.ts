import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { Book } from './book.ts';
import { DataPath } from './data-path.ts';
import type { NetworkHost } from './data-path.ts';
import { createDirectory } from './directory.ts';
import { Upstream } from './dns/upstream.ts';
import { NamespacePool } from './namespaces.ts';
import type { Networks } from './network.ts';
import { EngineNetworks } from './networks.ts';
import { PublishedPorts } from './ports.ts';
import { NetworkState } from './state.ts';
import { DEFAULT_POOLS } from './subnets.ts';
import type { SubnetPool } from './subnets.ts';

export interface OpenNetworksOptions {
  readonly host: NetworkHost;
  /** Of this instance's networks alone; made when it is missing. */
  readonly folder: string;
  /** The instance's id: hexadecimal, at least 4 digits. */
  readonly instance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where subnets come from; Docker's own ranges when left out. */
  readonly pools?: readonly SubnetPool[];
  /** How many network namespaces are kept ready (2). */
  readonly prepared?: number;
  /** The host's resolver configuration (/etc/resolv.conf). */
  readonly resolvConf?: string;
}

/**
 * Opens the networks of an instance as its books have them. Links, rules and the resolver are
 * set up at the first need, or by `recover`, which is to be called before containers are started.
 */
export async function openNetworks(options: OpenNetworksOptions): Promise<Networks> {
  const { host, folder, instance, clock, random, logger } = options;
  const book = new Book(join(folder, 'networks'));
  const states = new Map<string, NetworkState>();
  const resolvConf = options.resolvConf ?? '/etc/resolv.conf';
  const dataPath = new DataPath({
    host,
    instance,
    book,
    directory: createDirectory(() => states.values()),
    upstream: new Upstream(clock, resolvConf),
    resolvConf,
    wanted: () => EngineNetworks.wanted(states.values()),
    logger,
  });
  for (const [id, record] of await book.load()) {
    if (id === 'host') dataPath.restore(record);
    else states.set(id, NetworkState.fromRecord(record, id));
  }
  const namespaces = new NamespacePool({ netns: host.netns, mounts: host.mounts, folder, size: options.prepared ?? 2, random, logger });
  await namespaces.open();
  const networks = new EngineNetworks({
    host,
    instance,
    clock,
    random,
    logger,
    book,
    pools: options.pools ?? DEFAULT_POOLS,
    namespaces,
    ports: new PublishedPorts(host.ports, instance),
    dataPath,
    states,
  });
  await networks.definePredefined();
  return networks;
}
