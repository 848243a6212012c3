import { linkPrefix } from '../../host/tables.ts';
import { isCode, isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';
import { hexId } from '../../lib/random.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { EMBEDDED_DNS } from './network.ts';
import type { Endpoint, EndpointOptions } from './network.ts';
import { ANY_ADDRESS, portElement } from './rules.ts';
import type { NetworksParts } from './parts.ts';
import type { ReservedPort } from './ports.ts';
import type { EndpointRecord, NetworkState } from './state.ts';
import { formatIPv4, parseIPv4, parseSubnet } from './subnets.ts';

/** Makes an endpoint on a network that is up: address, ports, link, redirections, record. What it took is in `undos` at every moment. */
export async function connectBridge(parts: NetworksParts, state: NetworkState, options: EndpointOptions, undos: UndoStack): Promise<Endpoint> {
  const { host, ports: publisher, dataPath, book, random, instance } = parts;
  const { definition } = state;
  const id = hexId(random);
  const owner = options.aliases?.[0] ?? options.containerId.slice(0, 12);
  const base = {
    id,
    networkId: definition.id,
    containerId: options.containerId,
    linkName: options.linkName,
    aliases: options.aliases ?? [],
    netns: options.netns,
    dnsServers: options.dnsServers ?? [],
  };
  if (definition.bridgeName === undefined || !state.addresses) {
    if (options.ports?.length) {
      throw new LongshoreError('invalid', `network ${definition.name} publishes no ports`, { object: `network ${definition.name}` });
    }
    const endpoint: EndpointRecord = { ...base, address: '', prefixLength: 0, gateway: undefined, mac: '', ports: [], hostLink: undefined };
    undos.push(() => state.delete(options.containerId));
    state.add(endpoint);
    await book.save(definition.id, () => state.toRecord());
    return endpoint;
  }
  const addresses = state.addresses;
  const address = addresses.allocate(options.address === undefined || options.address === '' ? undefined : parseIPv4(options.address));
  undos.push(() => addresses.release(address));
  const held: ReservedPort[] = [];
  undos.push(() => {
    for (const port of held) port.release();
    state.held.delete(options.containerId);
  });
  const binding = state.option('com.docker.network.bridge.host_binding_ipv4');
  for (const wish of options.ports ?? []) {
    held.push(await publisher.reserve(wish, owner, binding === undefined || binding === '' ? ANY_ADDRESS : binding));
  }
  const endpoint: EndpointRecord = {
    ...base,
    address: formatIPv4(address),
    prefixLength: parseSubnet(definition.subnet!).prefixLength,
    gateway: definition.internal ? undefined : definition.gateway,
    mac: options.mac ?? macOf(address),
    ports: held.map((port) => port.binding),
    hostLink: `${linkPrefix(instance)}v${id.slice(0, 8)}`,
  };
  state.held.set(options.containerId, held);
  state.add(endpoint);
  const mtu = state.option('com.docker.network.driver.mtu');
  // Three independent waits: the kernel's links, its rules, the disk.
  undos.push(async () => {
    state.delete(options.containerId);
    await host.links.remove(endpoint.hostLink!);
    await dataPath.change(endpoint.ports.map((port) => portElement('delete', instance, { ...port, address: endpoint.address })));
    await book.save(definition.id, () => state.toRecord());
  });
  const results = await Promise.allSettled([
    host.links.attach({
      netns: endpoint.netns,
      bridge: definition.bridgeName,
      hostName: endpoint.hostLink!,
      name: endpoint.linkName,
      mac: endpoint.mac,
      addresses: [`${endpoint.address}/${endpoint.prefixLength}`, ...(options.linkLocal ?? []).map((each) => `${each}/16`)],
      ...(endpoint.gateway === undefined ? {} : { gateway: endpoint.gateway }),
      ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
      // Where bridged packets go through netfilter, one to a container's own published port is bridged back to where it came from.
      hairpin: endpoint.ports.length > 0 || state.option('io.longshore.hairpin') === 'true',
      isolated: state.option('com.docker.network.bridge.enable_icc') === 'false',
      loopback: { address: EMBEDDED_DNS, via: definition.gateway! },
    }),
    dataPath.change(endpoint.ports.map((port) => portElement('add', instance, { ...port, address: endpoint.address }))),
    book.save(definition.id, () => state.toRecord()),
  ]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  await forgetFlows(parts, endpoint, endpoint.address);
  return endpoint;
}

/** UDP senders that talked to the port before would stay where they were, or nowhere. */
export async function forgetFlows(parts: Pick<NetworksParts, 'host' | 'logger'>, endpoint: Endpoint, keep: string | undefined): Promise<void> {
  for (const { protocol, hostPort } of endpoint.ports) {
    if (protocol !== 'udp') continue;
    try {
      await parts.host.conntrack.forgetUdp(hostPort, keep);
    } catch (error) {
      // A kernel without that part of netlink: flows end by themselves, three minutes after the last packet.
      parts.logger.debug('UDP flows could not be forgotten', { port: hostPort, error: messageOf(error) });
    }
  }
}

/** A MAC that follows from the address (as Docker's did): whoever gets the address next is reached without asking anew. */
function macOf(address: number): string {
  const hex = address.toString(16).padStart(8, '0');
  return `02:42:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}`;
}

/** After a link has gone, another of the same container takes over the default route and the resolver's. */
export async function moveDefaultRoute(parts: NetworksParts, states: Iterable<NetworkState>, gone: EndpointRecord): Promise<void> {
  const others = [...states].flatMap((state) => {
    const endpoint = state.endpoints.get(gone.containerId);
    return endpoint?.hostLink === undefined ? [] : [{ endpoint, bridgeAddress: state.definition.gateway! }];
  });
  if (others.length === 0 || gone.hostLink === undefined) return;
  const { links } = parts.host;
  // The retired link still has the routes; they go with it.
  await links.settle();
  const next = others.find(({ endpoint }) => endpoint.gateway !== undefined) ?? others[0]!;
  try {
    if (next.endpoint.gateway !== undefined) {
      await links.addRoute({ destination: 'default', via: next.endpoint.gateway, link: next.endpoint.linkName }, next.endpoint.netns);
    }
    await links.routeLoopback(next.endpoint.linkName, { address: EMBEDDED_DNS, via: next.bridgeAddress }, next.endpoint.netns);
  } catch (error) {
    // The container is on its way out, and its namespace or link went first.
    if (!isCode(error, 'not-found') && !isErrno(error, 'ENOENT') && !isErrno(error, 'ENODEV')) throw error;
  }
}
