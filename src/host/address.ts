import { isIPv4, isIPv6 } from 'node:net';
import { LongshoreError } from '../lib/errors.ts';

/** An address or a prefix of IPv4 (4 bytes) or IPv6 (16 bytes). */
export interface Cidr {
  readonly family: 4 | 6;
  readonly bytes: Buffer;
  readonly prefixLength: number;
}

/** `10.0.0.1/24`, `fd00::1/64`, or an address alone (then with the full prefix). @throws `invalid` */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const bytes = parseAddress(address);
  const full = bytes.length * 8;
  const tail = text.slice(slash + 1);
  const prefixLength = slash === -1 ? full : /^\d{1,3}$/.test(tail) ? Number(tail) : -1;
  if (prefixLength < 0 || prefixLength > full) throw new LongshoreError('invalid', `invalid CIDR address: ${text}`);
  return { family: bytes.length === 4 ? 4 : 6, bytes, prefixLength };
}

/** The bytes of an address. @throws `invalid` */
export function parseAddress(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (isIPv6(text) && !text.includes('%')) return parseV6(text);
  throw new LongshoreError('invalid', `invalid IP address: ${text}`);
}

function parseV6(text: string): Buffer {
  let source = text;
  const v4 = /(\d+\.\d+\.\d+\.\d+)$/.exec(source)?.[1];
  if (v4 !== undefined) {
    const [a, b, c, d] = v4.split('.').map(Number) as [number, number, number, number];
    source = source.slice(0, -v4.length) + ((a << 8) | b).toString(16) + ':' + ((c << 8) | d).toString(16);
  }
  const [head, tail] = source.split('::') as [string, string | undefined];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const bytes = Buffer.alloc(16);
  [...left, ...Array<string>(zeros).fill('0'), ...right].forEach((group, n) => bytes.writeUInt16BE(parseInt(group, 16), n * 2));
  return bytes;
}

/** The usual text of an address; IPv6 as RFC 5952 wants it. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, n) => (bytes[n * 2]! << 8) | bytes[n * 2 + 1]!);
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start === -1) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

/** `02:42:ac:11:00:02` as bytes. @throws `invalid` */
export function parseMac(text: string): Buffer {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) throw new LongshoreError('invalid', `invalid MAC address: ${text}`);
  return Buffer.from(text.replaceAll(/[:-]/g, ''), 'hex');
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
