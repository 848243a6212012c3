import { formatAddress, parseCidr } from '../../host/address.ts';
import { LongshoreError } from '../../lib/errors.ts';

/** Ranges from which networks get their subnets, as dockerd's `default-address-pools`: `size` is the prefix length of each. */
export interface SubnetPool {
  readonly base: string;
  readonly size: number;
}

/** Docker's own: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in /20s. */
export const DEFAULT_POOLS: readonly SubnetPool[] = [
  ...Array.from({ length: 15 }, (_, n) => ({ base: `172.${17 + n}.0.0/16`, size: 16 })),
  { base: '192.168.0.0/16', size: 20 },
];

/** An IPv4 subnet as numbers. */
export interface Subnet {
  /** First address. */
  readonly base: number;
  readonly prefixLength: number;
}

/** @throws `invalid` for what is no IPv4 prefix; `not-implemented` for IPv6 */
export function parseSubnet(text: string): Subnet {
  const { family, bytes, prefixLength } = parseCidr(text);
  if (family === 6) {
    throw new LongshoreError('not-implemented', `IPv6 subnets are not implemented: ${text}`, { remedy: 'Use an IPv4 subnet.' });
  }
  const size = 2 ** (32 - prefixLength);
  const base = bytes.readUInt32BE(0);
  return { base: base - (base % size), prefixLength };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatIPv4(subnet.base)}/${subnet.prefixLength}`;
}

export function formatIPv4(address: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return formatAddress(bytes);
}

/** @throws `invalid` */
export function parseIPv4(text: string): number {
  const { family, bytes, prefixLength } = parseCidr(text);
  if (family !== 4 || prefixLength !== 32) throw new LongshoreError('invalid', `invalid IPv4 address: ${text}`);
  return bytes.readUInt32BE(0);
}

export function sizeOf(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefixLength);
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address < subnet.base + sizeOf(subnet);
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b) && b.base < a.base + sizeOf(a);
}

/** The first subnet of the pools that none of `taken` touches. @throws `exhausted` */
export function chooseSubnet(pools: readonly SubnetPool[], taken: readonly Subnet[]): Subnet {
  for (const pool of pools) {
    const base = parseSubnet(pool.base);
    const step = 2 ** (32 - pool.size);
    for (let at = base.base; at < base.base + sizeOf(base); at += step) {
      const candidate = { base: at, prefixLength: pool.size };
      if (!taken.some((other) => overlaps(candidate, other))) return candidate;
    }
  }
  throw new LongshoreError('exhausted', 'all predefined address pools have been fully subnetted', {
    remedy: 'Remove networks that are not used (docker network prune), or name a subnet.',
  });
}
