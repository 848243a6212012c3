import { linkPrefix } from '../../host/tables.ts';
import { LongshoreError, messageOf } from '../../lib/errors.ts';
import { hexId } from '../../lib/random.ts';
import { UndoStack } from '../../lib/undo.ts';
import type { Wanted } from './data-path.ts';
import { bridgeDefinition, checkOptions, planAddresses, PREDEFINED } from './definition.ts';
import { connectBridge, forgetFlows, moveDefaultRoute } from './connect.ts';
import type { Endpoint, EndpointOptions, Network, NetworkOptions, Networks } from './network.ts';
import { bridgeElements, portElement } from './rules.ts';
import type { NetworksParts } from './parts.ts';
import type { PublishedPort } from './rules.ts';
import { addressesOf, NetworkState } from './state.ts';
import { parseIPv4, parseSubnet } from './subnets.ts';
import type { Subnet } from './subnets.ts';

/** How often another subnet is chosen when other instances keep taking the same at the same moment. */
const YIELDS = 8;

export class EngineNetworks implements Networks {
  #parts: NetworksParts;
  #states: Map<string, NetworkState>;
  /** Subnets are chosen one network at a time. */
  #planning: Promise<unknown> = Promise.resolve();

  constructor(parts: NetworksParts) {
    this.#parts = parts;
    this.#states = parts.states;
  }

  async list(): Promise<readonly Network[]> {
    return [...this.#states.values()].map((state) => state.view());
  }

  async get(nameOrId: string): Promise<Network> {
    return this.#find(nameOrId).view();
  }

  async create(options: NetworkOptions): Promise<Network> {
    checkOptions(options);
    const state = await this.#plan(() => this.#define(options));
    try {
      await this.#bringUp(state);
      await this.#parts.book.save(state.definition.id, () => state.toRecord(), true);
    } catch (error) {
      this.#states.delete(state.definition.id);
      await this.#takeDown(state);
      throw error;
    }
    return state.view();
  }

  async remove(nameOrId: string): Promise<void> {
    const state = this.#find(nameOrId);
    const { id, name } = state.definition;
    const object = `network ${name}`;
    if ((PREDEFINED as readonly string[]).includes(name)) {
      throw new LongshoreError('forbidden', `${name} is a pre-defined network and cannot be removed`, { object });
    }
    if (state.endpoints.size > 0 || state.connecting.size > 0) {
      throw new LongshoreError('forbidden', `error while removing network: network ${name} id ${id} has active endpoints`, {
        object,
        remedy: `Disconnect or remove its containers first: ${[...state.endpoints.values()].map((endpoint) => endpoint.aliases[0] ?? endpoint.containerId.slice(0, 12)).join(', ')}.`,
      });
    }
    state.removed = true;
    this.#states.delete(id);
    await this.#takeDown(state);
    await this.#parts.book.remove(id);
  }

  async prune(): Promise<readonly string[]> {
    const unused = [...this.#states.values()].filter(
      (state) =>
        !(PREDEFINED as readonly string[]).includes(state.definition.name) && state.endpoints.size === 0 && state.connecting.size === 0,
    );
    const removed: string[] = [];
    for (const state of unused) {
      // Somebody may connect to it meanwhile.
      if (state.endpoints.size > 0 || state.connecting.size > 0 || state.removed) continue;
      await this.remove(state.definition.id);
      removed.push(state.definition.name);
    }
    return removed;
  }

  async connect(networkId: string, options: EndpointOptions): Promise<Endpoint> {
    const state = this.#find(networkId);
    const { containerId } = options;
    const object = `network ${state.definition.name}`;
    if (state.endpoints.has(containerId) || state.connecting.has(containerId)) {
      throw new LongshoreError(
        'conflict',
        `endpoint with name ${options.aliases?.[0] ?? containerId.slice(0, 12)} already exists in network ${state.definition.name}`,
        { object },
      );
    }
    state.connecting.add(containerId);
    const undos = new UndoStack();
    try {
      if (state.definition.bridgeName !== undefined) await this.#bringUp(state);
      const endpoint = await connectBridge(this.#parts, state, options, undos);
      return endpoint;
    } catch (error) {
      try {
        await undos.run();
      } catch (failure) {
        this.#parts.logger.error('a half-made endpoint could not be taken back', {
          network: state.definition.name,
          container: containerId,
          error: messageOf(failure),
        });
      }
      throw error;
    } finally {
      state.connecting.delete(containerId);
    }
  }

  async disconnect(networkId: string, containerId: string): Promise<void> {
    const state = this.#states.get(networkId) ?? this.#find(networkId);
    const endpoint = state.endpoints.get(containerId);
    if (!endpoint) return;
    const { book, dataPath, host } = this.#parts;
    const held = state.held.get(containerId) ?? [];
    const ports = published(endpoint);
    state.delete(containerId);
    state.held.delete(containerId);
    const undos = new UndoStack();
    undos.push(() => moveDefaultRoute(this.#parts, this.#states.values(), endpoint));
    undos.push(() => book.save(state.definition.id, () => state.toRecord()));
    undos.push(() => {
      // Only now that nothing leads there any more may somebody else have port and address.
      for (const port of held) port.release();
      if (endpoint.address !== '') state.addresses?.release(parseIPv4(endpoint.address));
    });
    undos.push(() => forgetFlows(this.#parts, endpoint, undefined));
    undos.push(() => (endpoint.hostLink === undefined ? undefined : host.links.retire(endpoint.hostLink)));
    undos.push(() => dataPath.change(ports.map((port) => portElement('delete', this.#parts.instance, port))));
    await undos.run();
  }

  async rename(networkId: string, containerId: string, aliases: readonly string[]): Promise<void> {
    const state = this.#find(networkId);
    if (state.rename(containerId, aliases)) await this.#parts.book.save(state.definition.id, () => state.toRecord());
  }

  async createNamespace(id: string): Promise<string> {
    return await this.#parts.namespaces.take(id);
  }

  async removeNamespace(id: string): Promise<void> {
    await this.#parts.namespaces.remove(id);
  }

  resolve(networkId: string, name: string): readonly string[] {
    return this.#states.get(networkId)?.named(name).map((endpoint) => endpoint.address) ?? [];
  }

  async recover(live: ReadonlySet<string>): Promise<void> {
    const { host, ports, logger, namespaces, instance } = this.#parts;
    const stale: [string, string][] = [];
    for (const state of this.#states.values()) {
      for (const endpoint of state.endpoints.values()) {
        if (!live.has(endpoint.containerId)) {
          stale.push([state.definition.id, endpoint.containerId]);
          continue;
        }
        if (state.held.has(endpoint.containerId)) continue;
        const held = [];
        for (const binding of endpoint.ports) {
          const owner = endpoint.aliases[0] ?? endpoint.containerId.slice(0, 12);
          try {
            held.push(await ports.reserve(binding, owner));
          } catch (error) {
            // Its packets are redirected all the same; it is only that somebody could not be kept from listening in vain.
            held.push(ports.claim(binding, owner));
            logger.warn('a published port was taken while we were away', { container: endpoint.containerId, port: binding.hostPort, error: messageOf(error) });
          }
        }
        state.held.set(endpoint.containerId, held);
      }
    }
    for (const [networkId, containerId] of stale) await this.disconnect(networkId, containerId);
    for (const state of this.#states.values()) {
      if (state.endpoints.size > 0 && state.definition.bridgeName !== undefined) {
        await this.#bringUp(state);
      }
    }
    // Links that no book knows: what a crash left half-made.
    const prefix = linkPrefix(instance);
    const known = new Set(
      [...this.#states.values()].flatMap((state) => [
        state.definition.bridgeName,
        ...[...state.endpoints.values()].map((endpoint) => endpoint.hostLink),
      ]),
    );
    const lost = (await host.links.list()).filter((link) => link.name.startsWith(prefix) && !known.has(link.name));
    await Promise.all(
      lost
        .filter((link) => /^v[0-9a-f]{8}$/.test(link.name.slice(prefix.length)) || /^-[0-9a-f]{8}$/.test(link.name.slice(prefix.length)))
        .map((link) => host.links.retire(link.name)),
    );
    for (const id of (await namespaces.ids()).keys()) if (!live.has(id)) await namespaces.remove(id);
    // The first container finds the default bridge there.
    const bridge = this.#find('bridge');
    this.#bringUp(bridge).catch((error: unknown) => logger.warn('the default bridge can’t be set up', { error: messageOf(error) }));
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#states.values()].flatMap((state) => state.up ?? []));
    await this.#parts.namespaces.close();
    await this.#parts.dataPath.close();
    for (const state of this.#states.values()) {
      for (const held of state.held.values()) for (const port of held) port.release();
      state.held.clear();
    }
    await this.#parts.host.links.settle();
  }

  async destroy(): Promise<void> {
    const bridges = [...this.#states.values()].flatMap((state) => state.definition.bridgeName ?? []);
    const undos = new UndoStack();
    undos.push(() => this.#parts.namespaces.destroy());
    undos.push(() => this.#parts.dataPath.destroy(bridges));
    undos.push(() => this.close());
    await undos.run();
    for (const state of this.#states.values()) {
      for (const endpoint of state.endpoints.values()) {
        state.delete(endpoint.containerId);
        if (endpoint.address !== '') state.addresses?.release(parseIPv4(endpoint.address));
      }
      state.up = undefined;
      await this.#parts.book.save(state.definition.id, () => state.toRecord());
    }
  }

  /** Makes sure of the three networks that are always there. */
  async definePredefined(): Promise<void> {
    const byName = new Map([...this.#states.values()].map((state) => [state.definition.name, state]));
    const { random, clock, book } = this.#parts;
    for (const name of PREDEFINED) {
      const there = byName.get(name);
      if (there && !(name === 'bridge' && there.autoSubnet && there.endpoints.size === 0 && (await this.#clashes(there)))) continue;
      let state: NetworkState;
      if (name === 'bridge') {
        if (there) this.#states.delete(there.definition.id);
        state = await this.#plan(() =>
          this.#define({ name, options: DEFAULT_BRIDGE_OPTIONS }, there?.definition.id, `${linkPrefix(this.#parts.instance)}bridge0`),
        );
      } else {
        state = new NetworkState({ id: hexId(random), name, driver: name, createdMs: clock.now(), bridgeName: undefined, labels: {}, options: {} }, false);
        this.#states.set(state.definition.id, state);
      }
      await book.save(state.definition.id, () => state.toRecord());
    }
  }

  /** What the nft table should hold, of all networks. */
  static wanted(states: Iterable<NetworkState>): Wanted {
    const list = [...states];
    return { bridges: list.flatMap((state) => state.rules() ?? []), ports: list.flatMap((state) => [...state.endpoints.values()].flatMap(published)) };
  }

  async #define(
    options: NetworkOptions,
    id = hexId(this.#parts.random),
    bridgeName = `${linkPrefix(this.#parts.instance)}-${id.slice(0, 8)}`,
  ): Promise<NetworkState> {
    for (const other of this.#states.values()) {
      if (other.definition.name === options.name) {
        throw new LongshoreError('already-exists', `network with name ${options.name} already exists`, {
          object: `network ${options.name}`,
        });
      }
    }
    const others = await this.#parts.dataPath.taken(this.#ownLinks());
    const plan = planAddresses(options, this.#parts.pools, this.#ownSubnets(), others);
    const definition = bridgeDefinition(options, plan, id, this.#parts.clock.now(), bridgeName);
    for (const other of this.#states.values()) {
      if (other.definition.bridgeName === definition.bridgeName) {
        throw new LongshoreError('conflict', `bridge name ${definition.bridgeName} is used by network ${other.definition.name}`, {
          object: `network ${options.name}`,
        });
      }
    }
    const named = options.options?.['com.docker.network.bridge.name'];
    if (named !== undefined && (await this.#parts.host.links.list()).some((link) => link.name === named)) {
      // It would go with the network.
      throw new LongshoreError('conflict', `the link ${named} exists already`, {
        object: `network ${options.name}`,
        remedy: 'Choose another com.docker.network.bridge.name, or remove that link.',
      });
    }
    const state = new NetworkState(definition, plan.auto);
    this.#states.set(id, state);
    return state;
  }

  /** One at a time, so that no two choose the same subnet. */
  async #plan<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#planning.then(task);
    this.#planning = turn.catch(() => {}); // the next one's turn comes either way
    return await turn;
  }

  #bringUp(state: NetworkState): Promise<void> {
    state.up ??= this.#makeBridge(state).catch((error: unknown) => {
      state.up = undefined;
      throw error;
    });
    return state.up;
  }

  async #makeBridge(state: NetworkState): Promise<void> {
    const { dataPath, book, pools, instance } = this.#parts;
    await dataPath.ready();
    const mtu = state.option('com.docker.network.driver.mtu');
    for (let tries = 0; tries < YIELDS; tries++) {
      const rules = state.rules()!;
      if (
        await dataPath.addBridge(
          rules,
          state.definition.gateway!,
          mtu === undefined ? undefined : Number(mtu),
          state.autoSubnet && state.endpoints.size === 0,
        )
      ) {
        // Also repeats what the table held before: an element that is there may be added again.
        await dataPath.change(bridgeElements('add', instance, rules));
        return;
      }
      await this.#plan(async () => {
        const mine = parseSubnet(rules.subnet);
        const taken = [...(await dataPath.taken(new Set())), mine];
        const plan = planAddresses({ name: state.definition.name }, pools, this.#ownSubnets(), taken);
        await dataPath.change(bridgeElements('delete', instance, rules));
        state.definition = { ...state.definition, subnet: plan.subnet, gateway: plan.gateway };
        state.addresses = addressesOf(state.definition);
        await book.save(state.definition.id, () => state.toRecord());
      });
    }
    throw new LongshoreError('unavailable', `other programs keep taking the subnets that network ${state.definition.name} chooses`, {
      object: `network ${state.definition.name}`,
      remedy: 'Name a subnet.',
    });
  }

  async #takeDown(state: NetworkState): Promise<void> {
    const rules = state.rules();
    if (!rules) return;
    await state.up?.catch(() => {}); // there may be less to take down
    const { host, dataPath, instance } = this.#parts;
    await dataPath.ready();
    await host.links.remove(rules.bridge);
    await dataPath.change(bridgeElements('delete', instance, rules));
  }

  async #clashes(state: NetworkState): Promise<boolean> {
    try {
      planAddresses({ name: 'check', subnet: state.definition.subnet! }, [], [], await this.#parts.dataPath.taken(this.#ownLinks()));
      return false;
    } catch (error) {
      if (error instanceof LongshoreError && error.code === 'forbidden') return true;
      throw error;
    }
  }

  #ownLinks(): Set<string> {
    return new Set([...this.#states.values()].flatMap((state) => state.definition.bridgeName ?? []));
  }

  #ownSubnets(): Subnet[] {
    return [...this.#states.values()].flatMap((state) => (state.definition.subnet === undefined ? [] : [parseSubnet(state.definition.subnet)]));
  }

  #find(nameOrId: string): NetworkState {
    const exact = this.#states.get(nameOrId);
    if (exact) return exact;
    const states = [...this.#states.values()];
    const named = states.find((state) => state.definition.name === nameOrId);
    if (named) return named;
    const matching = /^[0-9a-f]+$/.test(nameOrId) ? states.filter((state) => state.definition.id.startsWith(nameOrId)) : [];
    if (matching.length > 1) {
      throw new LongshoreError('invalid', `network ${nameOrId} is ambiguous (${matching.length} matches found on ID prefix)`, {
        object: `network ${nameOrId}`,
      });
    }
    if (matching.length === 0) throw new LongshoreError('not-found', `network ${nameOrId} not found`, { object: `network ${nameOrId}` });
    return matching[0]!;
  }
}

/** As dockerd describes its own. */
const DEFAULT_BRIDGE_OPTIONS: Readonly<Record<string, string>> = {
  'com.docker.network.bridge.default_bridge': 'true',
  'com.docker.network.bridge.enable_icc': 'true',
  'com.docker.network.bridge.enable_ip_masquerade': 'true',
  'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
  'com.docker.network.driver.mtu': '1500',
};

/** An endpoint's published ports, with where they lead. */
export function published(endpoint: Endpoint): PublishedPort[] {
  return endpoint.ports.map((port) => ({ ...port, address: endpoint.address }));
}
