import { LongshoreError } from '../../lib/errors.ts';
import { Addresses } from './addresses.ts';
import type { Endpoint, Network } from './network.ts';
import type { ReservedPort } from './ports.ts';
import type { BridgeRules } from './rules.ts';
import { parseIPv4, parseSubnet } from './subnets.ts';

/** What is kept of an endpoint beside what others see. */
export interface EndpointRecord extends Endpoint {
  readonly netns: string;
  /** The link's other end, on the bridge; undefined without a bridge. */
  readonly hostLink: string | undefined;
  readonly dnsServers: readonly string[];
}

export type NetworkDefinition = Omit<Network, 'endpoints'>;

/** A network's record on disk. */
export interface NetworkRecord {
  readonly version: 1;
  readonly network: NetworkDefinition;
  /** Chosen by us: may change as long as nobody uses it. */
  readonly autoSubnet: boolean;
  readonly endpoints: readonly EndpointRecord[];
}

/** A network as it lives in memory. */
export class NetworkState {
  definition: NetworkDefinition;
  readonly autoSubnet: boolean;
  addresses: Addresses | undefined;
  /** By container, in the order of connecting. */
  readonly endpoints = new Map<string, EndpointRecord>();
  /** Host ports held for a container's endpoint. */
  readonly held = new Map<string, readonly ReservedPort[]>();
  /** Containers whose endpoint is being made. */
  readonly connecting = new Set<string>();
  /** Set once the bridge is there; the promise of who makes it. */
  up: Promise<void> | undefined;
  removed = false;
  #names: Map<string, EndpointRecord[]> | undefined;

  constructor(definition: NetworkDefinition, autoSubnet: boolean) {
    this.definition = definition;
    this.autoSubnet = autoSubnet;
    this.addresses = addressesOf(definition);
  }

  static fromRecord(record: unknown, id: string): NetworkState {
    const { version, network, autoSubnet, endpoints } = record as NetworkRecord;
    if (version !== 1) {
      throw new LongshoreError(
        'internal',
        `the record of network ${id} is of version ${String(version)}, which this longshore does not know`,
        { remedy: 'Use the newer longshore that wrote it.' },
      );
    }
    const state = new NetworkState(network, autoSubnet);
    for (const endpoint of endpoints) {
      state.endpoints.set(endpoint.containerId, endpoint);
      if (endpoint.address !== '') state.addresses?.allocate(parseIPv4(endpoint.address));
    }
    return state;
  }

  toRecord(): NetworkRecord {
    return { version: 1, network: this.definition, autoSubnet: this.autoSubnet, endpoints: [...this.endpoints.values()] };
  }

  view(): Network {
    return { ...this.definition, endpoints: [...this.endpoints.values()] };
  }

  add(endpoint: EndpointRecord): void {
    this.endpoints.set(endpoint.containerId, endpoint);
    this.#names = undefined;
  }

  delete(containerId: string): void {
    this.endpoints.delete(containerId);
    this.#names = undefined;
  }

  /** False when the container has no endpoint here. */
  rename(containerId: string, aliases: readonly string[]): boolean {
    const endpoint = this.endpoints.get(containerId);
    if (endpoint === undefined) return false;
    this.endpoints.set(containerId, { ...endpoint, aliases });
    this.#names = undefined;
    return true;
  }

  /** The endpoints that go by a name, whatever its case. */
  named(name: string): readonly EndpointRecord[] {
    if (!this.#names) {
      this.#names = new Map();
      for (const endpoint of this.endpoints.values()) {
        for (const alias of new Set(endpoint.aliases.map((text) => text.toLowerCase()))) {
          const list = this.#names.get(alias);
          if (list) list.push(endpoint);
          else this.#names.set(alias, [endpoint]);
        }
      }
    }
    return this.#names.get(name.toLowerCase()) ?? [];
  }

  option(name: string): string | undefined {
    return this.definition.options?.[name];
  }

  /** What nft has to know; undefined without a bridge. */
  rules(): BridgeRules | undefined {
    const { bridgeName, subnet, internal } = this.definition;
    if (bridgeName === undefined || subnet === undefined) return undefined;
    return {
      bridge: bridgeName,
      subnet,
      internal: internal ?? false,
      masquerade: this.option('com.docker.network.bridge.enable_ip_masquerade') !== 'false',
      routed: this.option('com.docker.network.bridge.gateway_mode_ipv4') === 'routed',
    };
  }
}

export function addressesOf(definition: NetworkDefinition): Addresses | undefined {
  if (definition.subnet === undefined || definition.gateway === undefined) return undefined;
  return new Addresses(
    parseSubnet(definition.subnet),
    parseIPv4(definition.gateway),
    definition.ipRange === undefined ? undefined : parseSubnet(definition.ipRange),
  );
}
