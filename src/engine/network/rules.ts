/**
 * The engine's part of the instance's nft table. Rules are fixed; what changes is elements of maps and sets:
 *
 * - `engine-ports`, `engine-address-ports`: published ports, of every local address or of one, to a container's address and port. Looked up
 *   for what comes from outside (prerouting) and for what this machine sends (output), so 127.0.0.1 works as well.
 * - `engine-bridges`: our bridges; `engine-closed`: those that nothing but replies and published ports may enter from outside.
 * - `engine-same`: pairs of one bridge twice, since nft can't compare two fields.
 * - `engine-home`: each bridge with its subnet.
 * - `engine-masquerade`: subnets whose containers leave the machine under its own address.
 * - `engine-internal`: bridges whose traffic stays within.
 */
import { addBaseChain, chainName, instanceTable } from '../../host/tables.ts';
import { EMBEDDED_DNS } from './network.ts';
import type { PortBinding } from './network.ts';

const CHAINS = ['guard', 'prerouting', 'output', 'forward', 'postrouting'] as const;

const SETS: Readonly<Record<string, string>> = {
  'engine-ports': 'map { type inet_proto . inet_service : ipv4_addr . inet_service; }',
  'engine-address-ports': 'map { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
  'engine-bridges': 'set { type ifname; }',
  'engine-closed': 'set { type ifname; }',
  'engine-internal': 'set { type ifname; }',
  'engine-same': 'set { type ifname . ifname; }',
  'engine-home': 'set { type ifname . ipv4_addr; flags interval; }',
  'engine-masquerade': 'set { type ipv4_addr; flags interval; }',
};

/** What a bridge needs in the sets. */
export interface BridgeRules {
  readonly bridge: string;
  readonly subnet: string;
  readonly internal: boolean;
  readonly masquerade: boolean;
  readonly routed: boolean;
}

/** A published port, and where it leads. */
export interface PublishedPort extends Required<PortBinding> {
  readonly address: string;
}

/** Any local address. */
export const ANY_ADDRESS = '0.0.0.0';

/** Makes table, chains and sets where they are missing, and fills the engine's own anew: one transaction, without a moment in between. */
export function layout(instance: string, dnsPort: number, bridges: readonly BridgeRules[], ports: readonly PublishedPort[]): string {
  const table = instanceTable(instance);
  const lines = [`add table ${table}`];
  for (const hook of CHAINS) lines.push(addBaseChain(instance, 'engine', hook), `flush chain ${table} ${chainName('engine', hook)}`);
  for (const [name, definition] of Object.entries(SETS)) {
    const [kind, ...rest] = definition.split(' ');
    lines.push(`add ${kind} ${table} ${name} ${rest.join(' ')}`, `flush ${kind} ${table} ${name}`);
  }
  const rule = (hook: (typeof CHAINS)[number], text: string): void => void lines.push(`add rule ${table} ${chainName('engine', hook)} ${text}`);
  // route_localnet lets a bridge's packets reach 127.0.0.0/8; only the resolver is meant.
  rule('guard', `iifname @engine-bridges ip daddr ${EMBEDDED_DNS} meta l4proto { tcp, udp } th dport 53 accept`);
  rule('guard', 'iifname @engine-bridges ip daddr 127.0.0.0/8 drop');
  rule('prerouting', `iifname @engine-bridges ip daddr ${EMBEDDED_DNS} meta l4proto { tcp, udp } th dport 53 dnat ip to 127.0.0.1:${dnsPort}`);
  for (const hook of ['prerouting', 'output'] as const) {
    rule(hook, 'dnat ip to ip daddr . meta l4proto . th dport map @engine-address-ports');
    rule(hook, 'fib daddr type local dnat ip to meta l4proto . th dport map @engine-ports');
  }
  rule('forward', 'ct state established,related accept');
  rule('forward', 'iifname . oifname @engine-same accept');
  rule('forward', 'iifname @engine-internal drop');
  rule('forward', 'oifname @engine-internal drop');
  rule('forward', 'ct status dnat accept');
  rule('forward', 'iifname @engine-bridges oifname @engine-bridges drop');
  rule('forward', 'oifname @engine-closed drop');
  // A container that comes back to its own network by a published port must see the answer come by the same way.
  // (A bridged packet has no input interface here, so the sender's subnet tells.)
  rule('postrouting', 'ct status dnat oifname . ip saddr @engine-home masquerade');
  rule('postrouting', 'oifname @engine-bridges ip saddr 127.0.0.0/8 masquerade');
  rule('postrouting', 'ip saddr @engine-masquerade oifname != @engine-bridges masquerade');
  for (const bridge of bridges) lines.push(...bridgeElements('add', instance, bridge));
  for (const port of ports) lines.push(portElement('add', instance, port));
  return lines.join('\n');
}

/** Puts a bridge into the sets, or takes it out. */
export function bridgeElements(verb: 'add' | 'delete', instance: string, rules: BridgeRules): string[] {
  const table = instanceTable(instance);
  const name = `"${rules.bridge}"`;
  const lines = [
    `${verb} element ${table} engine-bridges { ${name} }`,
    `${verb} element ${table} engine-same { ${name} . ${name} }`,
    `${verb} element ${table} engine-home { ${name} . ${rules.subnet} }`,
  ];
  if (rules.internal) lines.push(`${verb} element ${table} engine-internal { ${name} }`);
  if (!rules.routed) lines.push(`${verb} element ${table} engine-closed { ${name} }`);
  if (rules.masquerade && !rules.internal && !rules.routed) lines.push(`${verb} element ${table} engine-masquerade { ${rules.subnet} }`);
  return lines;
}

export function portElement(verb: 'add' | 'delete', instance: string, port: PublishedPort): string {
  const any = port.hostIp === ANY_ADDRESS;
  const key = `${any ? '' : `${port.hostIp} . `}${port.protocol} . ${port.hostPort}`;
  const value = verb === 'add' ? ` : ${port.address} . ${port.containerPort}` : '';
  return `${verb} element ${instanceTable(instance)} ${any ? 'engine-ports' : 'engine-address-ports'} { ${key}${value} }`;
}
