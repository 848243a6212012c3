import { BlockList, connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';
import { randomInt, type Random } from '../../../lib/random.ts';
import type { Pod, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../../types/kubernetes/generated/discovery-v1.ts';
import { badRequest, notFound, unavailable } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import { dialError } from './node-connection.ts';
import { isPort } from './pod-target.ts';

const CONNECT_MS = 10_000;
const SERVICE_OF = 'kubernetes.io/service-name';

/** Where to connect for a proxied pod or service. */
export interface ProxyTarget {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
}

/** Splits `[scheme:]name[:port]`, as the last part of a proxy path may be written. @throws StatusError 400 */
export function splitName(text: string): { readonly scheme: 'http' | 'https'; readonly name: string; readonly port: string } {
  const parts = text.split(':');
  const [first = '', second, third] = parts;
  if (parts.length > 3) throw badRequest(`invalid proxy name ${JSON.stringify(text)}`);
  if (parts.length === 3 || first === 'http' || first === 'https') {
    if (first !== 'http' && first !== 'https' && first !== '') throw badRequest(`invalid proxy scheme ${JSON.stringify(first)}`);
    if (second === undefined) return { scheme: 'http', name: first, port: '' };
    return { scheme: first === 'https' ? 'https' : 'http', name: second, port: third ?? '' };
  }
  return { scheme: 'http', name: first, port: second ?? '' };
}

export function podProxyTarget(lookup: Lookup, namespace: string, text: string): ProxyTarget {
  const { scheme, name, port } = splitName(text);
  const pod = lookup.get<Pod>('', 'pods', namespace, name);
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  const host = pod.status?.podIP ?? '';
  if (!isProxyable(host)) throw badRequest('address not allowed');
  const declared = pod.spec?.containers?.flatMap((container) => container.ports ?? []);
  const number =
    port === ''
      ? (declared?.[0]?.containerPort ?? (scheme === 'https' ? 443 : 80))
      : isPort(port)
        ? Number(port)
        : declared?.find((one) => one.name === port)?.containerPort;
  if (number === undefined) throw badRequest(`pod ${name} has no port ${JSON.stringify(port)}`);
  return { tls: scheme === 'https', host, port: number };
}

/** One ready endpoint of a service, by lot. */
export function serviceProxyTarget(lookup: Lookup, random: Random, namespace: string, text: string): ProxyTarget {
  const { scheme, name, port } = splitName(text);
  const service = lookup.get<Service>('', 'services', namespace, name);
  if (service === undefined) throw notFound({ group: '', resource: 'services' }, name);
  const ports = service.spec?.ports ?? [];
  const wanted = port === '' && ports.length === 1 ? ports[0] : ports.find((one) => one.name === port || String(one.port) === port);
  if (wanted === undefined) throw unavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const candidates: ProxyTarget[] = [];
  for (const slice of lookup.list<EndpointSlice>('discovery.k8s.io', 'endpointslices', namespace)) {
    if (slice.metadata?.labels?.[SERVICE_OF] !== name) continue;
    const number = slice.ports?.find((one) => (one.name ?? '') === (wanted.name ?? ''))?.port;
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints) {
      if (endpoint.conditions?.ready === false) continue;
      for (const host of endpoint.addresses) if (isProxyable(host)) candidates.push({ tls: scheme === 'https', host, port: number });
    }
  }
  if (candidates.length === 0) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return candidates[randomInt(random, candidates.length)]!;
}

/** Compared as numbers, however an address is written; IPv4 within IPv6 included. */
const OUR_OWN = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const) {
  OUR_OWN.ipv4.addSubnet(net, bits, 'ipv4');
}
for (const [net, bits] of [
  ['::', 127],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  OUR_OWN.ipv6.addSubnet(net, bits, 'ipv6');
}

/** Addresses that a user may have us connect to: never ourselves, never a cloud's metadata. */
export function isProxyable(address: string): boolean {
  if (isIP(address) === 0 || address.includes('%')) return false;
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return !OUR_OWN[family].check(address, family);
}

/** Connects to a pod. Its certificate, if it speaks TLS, is its own affair: nobody here knows its authority. @throws StatusError 500 */
export function dial(target: ProxyTarget, clock: Clock): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket: Socket = target.tls
      ? connectTls({ host: target.host, port: target.port, rejectUnauthorized: false })
      : connect({ host: target.host, port: target.port });
    const cancel = clock.after(CONNECT_MS, () =>
      socket.destroy(new LongshoreError('timeout', `dial tcp ${target.host}:${target.port}: i/o timeout`)),
    );
    socket.once(target.tls ? 'secureConnect' : 'connect', () => {
      cancel();
      socket.setNoDelay(true);
      resolve(socket);
    });
    socket.once('error', (error) => {
      cancel();
      reject(dialError(error));
    });
  });
}
