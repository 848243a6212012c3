import type { Undo } from '../../lib/undo.ts';

/** Where containers on a user-defined network ask for names; it also answers on the default bridge, where it only forwards. */
export const EMBEDDED_DNS = '127.0.0.11';

/**
 * # Networks of the engine
 *
 * `bridge` (the default), user-defined bridges, `host` and `none`. An endpoint
 * connects a network namespace to a network with an address. Published ports
 * and masquerading are entries of maps in the instance's one nft table; an
 * update changes only what changed. State is on disk: after kill -9 `recover`
 * brings the books in line with what the machine has.
 */
export interface Networks {
  list(): Promise<readonly Network[]>;
  /** By name, id or unambiguous id prefix. @throws `not-found` (`network x not found`) */
  get(nameOrId: string): Promise<Network>;
  /** @throws `already-exists`, `invalid` (bad or overlapping subnet), `exhausted` (no subnet free) */
  create(options: NetworkOptions): Promise<Network>;
  /** @throws `forbidden` (has active endpoints, or is predefined: Docker answers 403) */
  remove(nameOrId: string): Promise<void>;
  prune(): Promise<readonly string[]>;
  /** Connects the namespace at `netns`. @throws `exhausted` (addresses), `conflict` (port in use: names the port and, where it can, who has it) */
  connect(networkId: string, endpoint: EndpointOptions): Promise<Endpoint>;
  /** Safe to call twice. */
  disconnect(networkId: string, containerId: string): Promise<void>;
  /** Gives a container's endpoint other names, at once. Not there: nothing happens. */
  rename(networkId: string, containerId: string, aliases: readonly string[]): Promise<void>;
  /** A kept network namespace: for a container, or a pod. Handed out from a few prepared ones, so it is fast. */
  createNamespace(id: string): Promise<string>;
  removeNamespace(id: string): Promise<void>;
  /** Names by which a container's neighbours on user-defined networks find it; the embedded DNS at 127.0.0.11 answers from this. */
  resolve(networkId: string, name: string): readonly string[];
  /** Brings state in line after a restart: drops endpoints and namespaces whose container or pod isn't in `live`, and takes up the others. */
  recover(live: ReadonlySet<string>): Promise<void>;
  /** Ends the work of this process; containers keep their networks. */
  close(): Promise<void>;
  /** Takes away links, nft table and namespaces of this instance, and puts kernel parameters back. The definitions of networks stay on disk. */
  destroy(): Promise<void>;
}

export interface NetworkOptions {
  readonly name: string;
  /** Anything but `bridge` can't be created: `host` and `none` are there, others are not implemented. */
  readonly driver?: string;
  readonly subnet?: string;
  readonly gateway?: string;
  readonly ipRange?: string;
  readonly internal?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Driver options by Docker's names: `com.docker.network.bridge.name`, `….bridge.enable_ip_masquerade`, `….bridge.enable_icc`,
   * `….bridge.host_binding_ipv4`, `….bridge.gateway_mode_ipv4` (`nat`, or `routed`: reachable from outside, and not masqueraded), `….driver.mtu`;
   * and ours: `io.longshore.hairpin` (ports let packets out where they came in).
   */
  readonly options?: Readonly<Record<string, string>>;
}

export interface Network extends Omit<NetworkOptions, 'driver'> {
  readonly id: string;
  readonly driver: 'bridge' | 'host' | 'none';
  readonly createdMs: number;
  readonly bridgeName: string | undefined;
  readonly endpoints: readonly Endpoint[];
}

export interface PortBinding {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
  /** '' or undefined: every address, 127.0.0.1 included. */
  readonly hostIp?: string;
  /** 0 or undefined: a free one is chosen. */
  readonly hostPort?: number;
}

/** A binding that is asked for. */
export interface PortWish extends PortBinding {
  /** With `hostPort`: the first free one from there to this is taken. */
  readonly lastHostPort?: number;
}

export interface EndpointOptions {
  readonly containerId: string;
  readonly netns: string;
  /** Name of the link inside, as in `eth0`. */
  readonly linkName: string;
  /** All names by which others on a user-defined network find it: container name, short id, service, aliases. */
  readonly aliases?: readonly string[];
  /** Servers that the resolver asks for this container's other names, instead of the host's (`docker run --dns`). */
  readonly dnsServers?: readonly string[];
  readonly address?: string;
  readonly mac?: string;
  /** More addresses of the link, of 169.254.0.0/16. */
  readonly linkLocal?: readonly string[];
  readonly ports?: readonly PortWish[];
}

export interface Endpoint {
  readonly id: string;
  readonly networkId: string;
  readonly containerId: string;
  readonly linkName: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string | undefined;
  readonly mac: string;
  readonly aliases: readonly string[];
  /** With the host ports that were given. */
  readonly ports: readonly Required<PortBinding>[];
}

export type { Undo };
