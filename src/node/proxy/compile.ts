import { createHash } from 'node:crypto';
import type { Ruleset } from './ruleset.ts';
import type { EndpointView, ServicePortView } from './service-view.ts';

/** Bit of the packet mark that asks for masquerading on the way out. */
const MASQUERADE_MARK = '0x4000';

/**
 * The fixed part of the table: sets, maps and the chains that hook into the
 * kernel. What no Service took stays here: an address of theirs means nothing to the networks beyond. And loopback
 * addresses mean nothing to them either, although NodePorts at 127.0.0.1 make links let them through (route_localnet).
 */
export function skeleton(table: string, clusterCidr: string, serviceCidr: string): string {
  return `
add table ${table}
delete table ${table}
add table ${table}
add map ${table} service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ${table} node-ports { type inet_proto . inet_service : verdict ; }
add set ${table} empty-ips { type ipv4_addr . inet_proto . inet_service ; }
add set ${table} empty-ports { type inet_proto . inet_service ; }
add set ${table} hairpins { type ipv4_addr . ipv4_addr ; }
add chain ${table} services
add rule ${table} services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ${table} services fib daddr type local meta l4proto . th dport vmap @node-ports
add chain ${table} prerouting { type nat hook prerouting priority -110 ; policy accept ; }
add rule ${table} prerouting jump services
add chain ${table} output { type nat hook output priority -110 ; policy accept ; }
add rule ${table} output jump services
add chain ${table} postrouting { type nat hook postrouting priority 90 ; policy accept ; }
add rule ${table} postrouting meta mark & ${MASQUERADE_MARK} == ${MASQUERADE_MARK} masquerade
add rule ${table} postrouting ct status dnat ip saddr . ip daddr @hairpins masquerade
add rule ${table} postrouting ip saddr ${clusterCidr} ip daddr != ${clusterCidr} masquerade
add rule ${table} postrouting ct status dnat ip saddr 127.0.0.0/8 ip daddr ${clusterCidr} masquerade
add chain ${table} refuse
add rule ${table} refuse ip daddr . meta l4proto . th dport @empty-ips reject
add rule ${table} refuse fib daddr type local meta l4proto . th dport @empty-ports reject
add rule ${table} refuse ip daddr ${serviceCidr} fib daddr type != local reject
add chain ${table} refuse-forward { type filter hook forward priority -1 ; policy accept ; }
add rule ${table} refuse-forward ct state new jump refuse
add chain ${table} refuse-output { type filter hook output priority -1 ; policy accept ; }
add rule ${table} refuse-output ct state new jump refuse
add chain ${table} refuse-input { type filter hook input priority -1 ; policy accept ; }
add rule ${table} refuse-input iifname != "lo" ip daddr 127.0.0.0/8 ct status & dnat == 0 drop
add rule ${table} refuse-input ct state new jump refuse
`;
}

/** The rules of all Services, as data. Pure. */
export function compile(ports: Iterable<ServicePortView>, clusterCidr: string): Ruleset {
  const chains = new Map<string, readonly string[]>();
  const serviceIps = new Map<string, string>();
  const nodePorts = new Map<string, string>();
  const emptyIps = new Map<string, string>();
  const emptyPorts = new Map<string, string>();
  const hairpins = new Map<string, string>();
  const elements = new Map([
    ['service-ips', serviceIps],
    ['node-ports', nodePorts],
    ['empty-ips', emptyIps],
    ['empty-ports', emptyPorts],
    ['hairpins', hairpins],
  ]);

  for (const view of ports) {
    const name = createHash('sha256').update(view.id).digest('hex').slice(0, 12);
    const internal = usable(view.endpoints, view.internalLocal);
    const external = usable(view.endpoints, view.externalLocal);
    for (const { address } of view.endpoints) hairpins.set(`${address} . ${address}`, '');
    const balance = (endpoints: readonly EndpointView[], suffix: string): string => {
      const chain = `svc-${name}${suffix}`;
      chains.set(chain, rulesOf(view, endpoints, chain, chains, elements));
      return chain;
    };
    const inside = internal.length > 0 ? balance(internal, '') : undefined;
    for (const ip of view.clusterIps) point(serviceIps, emptyIps, `${ip} . ${view.protocol} . ${view.port}`, inside);

    if (view.externalIps.length === 0 && view.nodePort === undefined) continue;
    let outside: string | undefined;
    if (external.length > 0) {
      const target = view.externalLocal === view.internalLocal ? inside! : balance(external, '-ext');
      outside = `ext-${name}`;
      // Answers must come back through this node, unless only local endpoints serve; pods' own addresses stay visible.
      chains.set(outside, [...(view.externalLocal ? [] : [`ip saddr != ${clusterCidr} meta mark set meta mark | ${MASQUERADE_MARK}`]), `goto ${target}`]);
    }
    for (const ip of view.externalIps) point(serviceIps, emptyIps, `${ip} . ${view.protocol} . ${view.port}`, outside);
    if (view.nodePort !== undefined) point(nodePorts, emptyPorts, `${view.protocol} . ${view.nodePort}`, outside);
  }
  return { chains, elements };
}

function usable(endpoints: readonly EndpointView[], localOnly: boolean): readonly EndpointView[] {
  return localOnly ? endpoints.filter(({ local }) => local) : endpoints;
}

/** An address leads to its chain, or is refused when nobody is behind it. Of two Services that claim one, the first keeps it. */
function point(verdicts: Map<string, string>, empty: Map<string, string>, element: string, chain: string | undefined): void {
  if (verdicts.has(element) || empty.has(element)) return;
  if (chain === undefined) empty.set(element, '');
  else verdicts.set(element, `goto ${chain}`);
}

function rulesOf(
  view: ServicePortView,
  endpoints: readonly EndpointView[],
  chain: string,
  chains: Map<string, readonly string[]>,
  elements: Map<string, Map<string, string>>,
): string[] {
  if (view.affinitySeconds === undefined) {
    const targets = endpoints.map(({ address, port }, at) => `${at} : ${address} . ${port}`);
    const one = endpoints[0]!;
    return [
      endpoints.length === 1
        ? `meta l4proto ${view.protocol} dnat to ${one.address}:${one.port}`
        : `meta l4proto ${view.protocol} dnat to numgen random mod ${endpoints.length} map { ${targets.join(', ')} }`,
    ];
  }
  // A client comes back to the endpoint that it was given: one set of clients an endpoint, each entry with its time-out.
  const own = endpoints.map(({ address, port }) => {
    const id = `${chain}-${address.replaceAll('.', '-')}-${port}`;
    const set = `${id}-clients`;
    elements.set(set, new Map());
    chains.set(id, [`update @${set} { ip saddr timeout ${view.affinitySeconds}s }`, `meta l4proto ${view.protocol} dnat to ${address}:${port}`]);
    return { id, set };
  });
  return [
    ...own.map(({ id, set }) => `ip saddr @${set} goto ${id}`),
    `numgen random mod ${own.length} vmap { ${own.map(({ id }, at) => `${at} : goto ${id}`).join(', ')} }`,
  ];
}
