import { readFile } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';
import { EMBEDDED_DNS } from '../network/network.ts';
import type { Endpoint } from '../network/network.ts';
import type { ContainerSpec } from './containers.ts';

/** The text of /etc/hosts: loopback, what --add-host gives, then legacy links, then the container's own names at its addresses. */
export function hostsFile(
  spec: Pick<ContainerSpec, 'extraHosts' | 'domainname'>,
  hostname: string,
  endpoints: readonly Endpoint[],
  links: readonly string[] = [],
): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
  ];
  lines.push(...extraLines(spec.extraHosts, endpoints[0]?.gateway), ...links);
  const names = spec.domainname ? `${hostname}.${spec.domainname} ${hostname}` : hostname;
  for (const endpoint of endpoints) lines.push(`${endpoint.address}\t${names}`);
  return lines.join('\n') + '\n';
}

/** The same on the host's network: the host's own file, and what --add-host gives. */
export async function hostHosts(spec: Pick<ContainerSpec, 'extraHosts'>): Promise<string> {
  const own = await readIfThere('/etc/hosts');
  const extra = extraLines(spec.extraHosts, '127.0.0.1');
  return extra.length === 0 ? own : `${own}${own === '' || own.endsWith('\n') ? '' : '\n'}${extra.join('\n')}\n`;
}

function extraLines(extraHosts: readonly string[] = [], gateway: string | undefined): string[] {
  return extraHosts.flatMap((entry) => {
    // name:address, or name=address; an IPv6 address has colons of its own
    const split = /^([^:=]+)[:=](.+)$/.exec(entry);
    if (split === null) return [];
    const address = split[2] === 'host-gateway' ? gateway : split[2]!.replace(/^\[(.*)\]$/, '$1');
    return address === undefined ? [] : [`${address}\t${split[1]}`];
  });
}

/**
 * The text of /etc/resolv.conf. On user-defined networks (`always`) the embedded DNS answers; elsewhere the host's own servers, without
 * those on its loopback, which a container can't reach (but for one on the host's network): when none is left, the embedded DNS passes questions on to them.
 */
export function resolvConf(dns: ContainerSpec['dns'], host: string, embeddedDns: 'always' | 'for-want-of-others' | 'never' | 'host'): string {
  const own = parse(host);
  const reachable = own.servers.filter((server) => embeddedDns === 'host' || !/^(127\.|::1$)/.test(server));
  const chosen = dns !== undefined && dns.servers.length > 0 ? dns.servers : reachable;
  const embedded = embeddedDns === 'always' || (embeddedDns === 'for-want-of-others' && chosen.length === 0);
  const servers = embedded ? [EMBEDDED_DNS] : chosen;
  const search = dns !== undefined && dns.search.length > 0 ? dns.search.filter((domain) => domain !== '.') : own.search;
  const options = dns !== undefined && dns.options.length > 0 ? dns.options : own.options;
  const lines = servers.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  const all = embeddedDns === 'always' && !options.some((option) => option.startsWith('ndots:')) ? [...options, 'ndots:0'] : options;
  if (all.length > 0) lines.push(`options ${all.join(' ')}`);
  return lines.join('\n') + '\n';
}

/** The host's resolver file; behind systemd-resolved's stub, the one with the real servers. */
export async function hostResolvConf(): Promise<string> {
  const main = await readIfThere('/etc/resolv.conf');
  const servers = parse(main).servers;
  if (servers.length > 0 && servers.every((server) => server === '127.0.0.53')) {
    return (await readIfThere('/run/systemd/resolve/resolv.conf')) || main;
  }
  return main;
}

/** The host's resolver file as its own programs read it. */
export function ownResolvConf(): Promise<string> {
  return readIfThere('/etc/resolv.conf');
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}

function parse(text: string): { servers: string[]; search: string[]; options: string[] } {
  const found = { servers: [] as string[], search: [] as string[], options: [] as string[] };
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) found.servers.push(words[0]);
    else if (keyword === 'search' || keyword === 'domain') found.search = words;
    else if (keyword === 'options') found.options.push(...words);
  }
  return found;
}
