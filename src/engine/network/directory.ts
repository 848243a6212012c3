import type { Directory } from './dns/server.ts';
import type { NetworkState } from './state.ts';

/** What the resolver knows, drawn from the networks as they are at that moment. The default bridge has no names, as Docker has it. */
export function createDirectory(networks: () => Iterable<NetworkState>): Directory {
  /** The networks of a container, known by one of its addresses. */
  const networksOf = (client: string): { readonly containerId: string; readonly networks: NetworkState[] } | undefined => {
    for (const network of networks()) {
      if (network.definition.bridgeName === undefined) continue;
      for (const endpoint of network.endpoints.values()) {
        if (endpoint.address !== client) continue;
        return { containerId: endpoint.containerId, networks: [...networks()].filter((other) => other.endpoints.has(endpoint.containerId)) };
      }
    }
    return undefined;
  };
  const userDefined = (client: string): NetworkState[] => networksOf(client)?.networks.filter((network) => network.definition.name !== 'bridge') ?? [];
  return {
    lookup(client, name) {
      for (const network of userDefined(client)) {
        // `web.front` means web on the network front.
        const suffix = `.${network.definition.name.toLowerCase()}`;
        const short = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
        const found = network.named(name).length > 0 ? network.named(name) : network.named(short);
        if (found.length > 0) return found.map((endpoint) => endpoint.address);
      }
      return undefined;
    },
    reverse(client, address) {
      for (const network of userDefined(client)) {
        for (const endpoint of network.endpoints.values()) {
          if (endpoint.address === address) return `${endpoint.aliases[0] ?? endpoint.containerId.slice(0, 12)}.${network.definition.name}`;
        }
      }
      return undefined;
    },
    upstream(client) {
      const known = networksOf(client);
      if (!known) return 'none';
      if (known.networks.every((network) => network.definition.internal)) return 'none';
      const servers = known.networks.map((network) => network.endpoints.get(known.containerId)?.dnsServers ?? []).find((list) => list.length > 0);
      return servers ?? 'host';
    },
  };
}
