/** Messages of rtnetlink(7): links, addresses, routes, neighbours. Numbers from linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h. */
import { formatAddress, formatMac, parseAddress, parseCidr, parseMac } from '../address.ts';
import type { LinkInfo, Route } from '../host.ts';
import {
  attribute,
  attributes,
  message,
  nested,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  text,
  textOf,
  u16be,
  u32,
  u8,
} from './message.ts';
import type { Reply } from './message.ts';

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
export const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;

export const AF_INET = 2;
export const AF_INET6 = 10;
const AF_BRIDGE = 7;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_AF_SPEC = 26;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_STATE = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const BR_STATE_DISABLED = 0;
const VETH_INFO_PEER = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_INET_CONF = 1;
const IPV4_DEVCONF_ROUTE_LOCALNET = 26;
const IFF_UP = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 2;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTPROT_STATIC = 4;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const RTNH_F_ONLINK = 4;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const NTF_SELF = 2;

function ifinfomsg(index: number, flags = 0, change = 0, family = 0): Buffer {
  const out = Buffer.alloc(16);
  out[0] = family;
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags, 8);
  out.writeUInt32LE(change, 12);
  return out;
}

/** No link-local address by itself: a container on an IPv4 network doesn't speak IPv6 on it, and saves the kernel's duplicate address detection. */
function withoutLinkLocal(): Buffer {
  return nested(IFLA_AF_SPEC, nested(AF_INET6, u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)));
}

export interface NewLink {
  readonly name: string;
  readonly kind: string;
  /** Attributes of the kind. */
  readonly data?: readonly Buffer[];
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
  readonly index?: number;
}

export function newLink(link: NewLink): Buffer {
  return message(
    RTM_NEWLINK,
    NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    ifinfomsg(link.index ?? 0),
    text(IFLA_IFNAME, link.name),
    ...optional(link),
    nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, link.kind), ...(link.data ? [nested(IFLA_INFO_DATA, ...link.data)] : [])),
  );
}

function optional(link: { readonly mac?: string | undefined; readonly mtu?: number | undefined; readonly ipv6?: boolean }): Buffer[] {
  return [
    ...(link.mac === undefined ? [] : [attribute(IFLA_ADDRESS, parseMac(link.mac))]),
    ...(link.mtu === undefined ? [] : [u32(IFLA_MTU, link.mtu)]),
    ...(link.ipv6 === false ? [withoutLinkLocal()] : []),
  ];
}

/** The attributes of a veth pair's other end, which is made in the namespace `netnsFd`. */
export function vethPeer(name: string, netnsFd: number, mtu: number | undefined): Buffer[] {
  return [
    attribute(
      VETH_INFO_PEER | 0x8000,
      Buffer.concat([
        ifinfomsg(0),
        text(IFLA_IFNAME, name),
        u32(IFLA_NET_NS_FD, netnsFd),
        ...(mtu === undefined ? [] : [u32(IFLA_MTU, mtu)]),
      ]),
    ),
  ];
}

export function vxlanData(options: { readonly vni: number; readonly local: string; readonly port: number }): Buffer[] {
  return [
    u32(IFLA_VXLAN_ID, options.vni),
    attribute(IFLA_VXLAN_LOCAL, parseAddress(options.local)),
    u8(IFLA_VXLAN_LEARNING, 0),
    u16be(IFLA_VXLAN_PORT, options.port),
  ];
}

/**
 * Changes a link that is there, named by name or index: up, master (0: none). The kernel looks at `ipv6: false` last,
 * so it goes before `up` in a message of its own; with the link's creation it is refused.
 */
export function setLink(
  which: string | number,
  change: { readonly up?: boolean; readonly master?: number; readonly mtu?: number; readonly ipv6?: boolean },
): Buffer {
  return message(
    RTM_NEWLINK,
    NLM_F_ACK,
    ifinfomsg(typeof which === 'number' ? which : 0, change.up ? IFF_UP : 0, change.up === undefined ? 0 : IFF_UP),
    ...(typeof which === 'string' ? [text(IFLA_IFNAME, which)] : []),
    ...(change.master === undefined ? [] : [u32(IFLA_MASTER, change.master)]),
    ...optional(change),
  );
}

/** Changes a bridge's port: hairpin lets packets out where they came in; isolated ports reach the bridge but not each other; a disabled one passes nothing. */
export function setPort(
  port: string,
  change: { readonly hairpin?: boolean | undefined; readonly isolated?: boolean | undefined; readonly disabled?: boolean },
): Buffer {
  const data = [
    ...(change.hairpin === undefined ? [] : [u8(IFLA_BRPORT_MODE, change.hairpin ? 1 : 0)]),
    ...(change.isolated === undefined ? [] : [u8(IFLA_BRPORT_ISOLATED, change.isolated ? 1 : 0)]),
    ...(change.disabled ? [u8(IFLA_BRPORT_STATE, BR_STATE_DISABLED)] : []),
  ];
  return message(
    RTM_NEWLINK,
    NLM_F_ACK,
    ifinfomsg(0),
    text(IFLA_IFNAME, port),
    nested(IFLA_LINKINFO, text(IFLA_INFO_SLAVE_KIND, 'bridge'), nested(IFLA_INFO_SLAVE_DATA, ...data)),
  );
}

/** Puts a link in a group, which can be removed as one. */
export function setGroup(name: string, group: number): Buffer {
  return message(RTM_NEWLINK, NLM_F_ACK, ifinfomsg(0), text(IFLA_IFNAME, name), u32(IFLA_GROUP, group));
}

export function deleteGroup(group: number): Buffer {
  return message(RTM_DELLINK, NLM_F_ACK, ifinfomsg(0), u32(IFLA_GROUP, group));
}

export function deleteLink(name: string): Buffer {
  return message(RTM_DELLINK, NLM_F_ACK, ifinfomsg(0), text(IFLA_IFNAME, name));
}

/**
 * Asks for a link, not for the answer: since Linux 6.8 the kernel first makes a change of carrier take effect (linkwatch_sync_dev). Until then, which is
 * when its own worker gets to it, a veth end drops what is sent, and a bridge's port what comes in.
 */
export function syncCarrier(which: string | number): Buffer {
  return message(
    RTM_GETLINK,
    NLM_F_ACK,
    ifinfomsg(typeof which === 'number' ? which : 0),
    ...(typeof which === 'string' ? [text(IFLA_IFNAME, which)] : []),
    u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS),
  );
}

export function linkDumpHeader(): Buffer {
  return ifinfomsg(0);
}

export function parseLink(reply: Reply): LinkInfo {
  const found = attributes(reply.payload.subarray(16));
  const info = found.get(IFLA_LINKINFO);
  return {
    index: reply.payload.readInt32LE(4),
    name: textOf(found.get(IFLA_IFNAME)) ?? '',
    kind: info ? textOf(attributes(info).get(IFLA_INFO_KIND)) : undefined,
    mac: formatMac(found.get(IFLA_ADDRESS) ?? Buffer.alloc(0)),
    mtu: found.get(IFLA_MTU)?.readUInt32LE(0) ?? 0,
    up: (reply.payload.readUInt32LE(8) & IFF_UP) !== 0,
    master: found.get(IFLA_MASTER)?.readUInt32LE(0),
  };
}

function addressMessage(type: number, flags: number, index: number, cidr: string): Buffer {
  const { family, bytes, prefixLength } = parseCidr(cidr);
  const header = Buffer.alloc(8);
  header[0] = family === 4 ? AF_INET : AF_INET6;
  header[1] = prefixLength;
  header[2] = family === 6 ? IFA_F_NODAD : 0;
  header.writeUInt32LE(index, 4);
  const parts = [header, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)];
  if (family === 4 && prefixLength < 31) {
    const broadcast = Buffer.alloc(4);
    broadcast.writeUInt32BE((bytes.readUInt32BE(0) | (2 ** (32 - prefixLength) - 1)) >>> 0);
    parts.push(attribute(IFA_BROADCAST, broadcast));
  }
  return message(type, NLM_F_ACK | flags, ...parts);
}

export function newAddress(index: number, cidr: string): Buffer {
  return addressMessage(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, cidr);
}

export function addressDumpHeader(): Buffer {
  return Buffer.alloc(8);
}

export function parseAddressReply(reply: Reply): { readonly index: number; readonly cidr: string } | undefined {
  const found = attributes(reply.payload.subarray(8));
  const bytes = found.get(IFA_LOCAL) ?? found.get(IFA_ADDRESS);
  return bytes ? { index: reply.payload.readUInt32LE(4), cidr: `${formatAddress(bytes)}/${reply.payload[1]}` } : undefined;
}

function routeMessage(type: number, flags: number, route: Route, oif: number | undefined, table = RT_TABLE_MAIN): Buffer {
  const destination = route.destination === 'default' ? undefined : parseCidr(route.destination);
  const via = route.via === undefined ? undefined : parseAddress(route.via);
  const header = Buffer.alloc(12);
  header[0] = (destination?.bytes ?? via ?? Buffer.alloc(4)).length === 16 ? AF_INET6 : AF_INET;
  header[1] = destination?.prefixLength ?? 0;
  header[4] = table;
  header[5] = RTPROT_STATIC;
  header[6] = via ? 0 : RT_SCOPE_LINK;
  header[7] = RTN_UNICAST;
  header.writeUInt32LE(route.onLink ? RTNH_F_ONLINK : 0, 8);
  return message(
    type,
    NLM_F_ACK | flags,
    header,
    ...(destination ? [attribute(RTA_DST, destination.bytes)] : []),
    ...(via ? [attribute(RTA_GATEWAY, via)] : []),
    ...(oif === undefined ? [] : [u32(RTA_OIF, oif)]),
  );
}

export function newRoute(route: Route, oif: number | undefined): Buffer {
  return routeMessage(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, oif);
}

/**
 * Sends a loopback address out of a link: more specific than the kernel's own 127.0.0.0/8 in the table that it looks at
 * first. The link needs route_localnet.
 */
export function newLoopbackRoute(address: string, via: string, oif: number): Buffer {
  return routeMessage(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, { destination: `${address}/32`, via }, oif, RT_TABLE_LOCAL);
}

export function deleteRoute(route: Route, oif: number | undefined): Buffer {
  return routeMessage(RTM_DELROUTE, 0, route, oif);
}

/** Lets a link's packets come from, and go to, loopback addresses (net.ipv4.conf.<link>.route_localnet). */
export function allowLoopback(index: number): Buffer {
  return message(RTM_NEWLINK, NLM_F_ACK, ifinfomsg(index), nested(IFLA_AF_SPEC, nested(AF_INET, nested(IFLA_INET_CONF, u32(IPV4_DEVCONF_ROUTE_LOCALNET, 1)))));
}

export function routeDumpHeader(): Buffer {
  return Buffer.alloc(12);
}

/** Unicast routes of the main table; others are the kernel's own. */
export function parseRoute(reply: Reply, linkName: (index: number) => string | undefined): Route | undefined {
  const found = attributes(reply.payload.subarray(12));
  const table = found.get(RTA_TABLE)?.readUInt32LE(0) ?? reply.payload[4];
  if (table !== RT_TABLE_MAIN || reply.payload[7] !== RTN_UNICAST) return undefined;
  const destination = found.get(RTA_DST);
  const via = found.get(RTA_GATEWAY);
  const link = linkName(found.get(RTA_OIF)?.readUInt32LE(0) ?? 0);
  return {
    destination: destination ? `${formatAddress(destination)}/${reply.payload[1]}` : 'default',
    ...(via ? { via: formatAddress(via) } : {}),
    ...(link === undefined ? {} : { link }),
    ...(reply.payload.readUInt32LE(8) & RTNH_F_ONLINK ? { onLink: true } : {}),
  };
}

function neighbour(
  type: number,
  flags: number,
  entry: { readonly index: number; readonly family: number; readonly self: boolean; readonly address: string; readonly mac: string },
): Buffer {
  const header = Buffer.alloc(12);
  header[0] = entry.family;
  header.writeInt32LE(entry.index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  header[10] = entry.self ? NTF_SELF : 0;
  return message(type, NLM_F_ACK | flags, header, attribute(NDA_DST, parseAddress(entry.address)), attribute(NDA_LLADDR, parseMac(entry.mac)));
}

function arp(index: number, address: string, mac: string): { index: number; family: number; self: boolean; address: string; mac: string } {
  return { index, family: address.includes(':') ? AF_INET6 : AF_INET, self: false, address, mac };
}

export function newNeighbour(index: number, address: string, mac: string): Buffer {
  return neighbour(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, arp(index, address, mac));
}

export function deleteNeighbour(index: number, address: string, mac: string): Buffer {
  return neighbour(RTM_DELNEIGH, 0, arp(index, address, mac));
}

const EVERYONE = '00:00:00:00:00:00';

/** Where a VXLAN sends frames for a MAC; the zero MAC may have several remotes, to which what has no entry is flooded. */
export function newFdb(index: number, mac: string, remote: string): Buffer {
  return neighbour(RTM_NEWNEIGH, NLM_F_CREATE | (mac === EVERYONE ? NLM_F_APPEND : NLM_F_REPLACE), {
    index,
    family: AF_BRIDGE,
    self: true,
    address: remote,
    mac,
  });
}

export function deleteFdb(index: number, mac: string, remote: string): Buffer {
  return neighbour(RTM_DELNEIGH, 0, { index, family: AF_BRIDGE, self: true, address: remote, mac });
}
