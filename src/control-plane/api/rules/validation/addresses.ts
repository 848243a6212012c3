import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { Errors, Path } from './errors.ts';

/** Dotted decimals, each of which may have leading zeros: old objects have such. */
function sloppyIPv4(value: string): boolean {
  const parts = value.split('.');
  return parts.length === 4 && parts.every((part) => /^\d+$/.test(part) && part.length <= 6 && Number(part) <= 255);
}

/** True for IPv6; also what upstream takes as such for a text with a colon. */
export function isV6(value: string): boolean {
  return value.includes(':');
}

/** True for an IPv4 address that is written as an IPv6 one. */
function isMapped(value: string): boolean {
  return /^(?:0*:)*:?(?:0*:)*ffff:(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]{1,4}:[0-9a-f]{1,4})$/i.test(value) && canonicalV6(value).startsWith('::ffff:');
}

/**
 * An address in a field that has taken sloppy ones before: valid when it was there already.
 * @param old addresses that the object held before
 */
export function validIP(value: string, errors: Errors, path: Path, old: readonly string[] = []): void {
  if (old.includes(value)) return;
  if (isIP(value) === 0 || value.includes('%')) {
    if (sloppyIPv4(value)) errors.invalid(path, value, 'must not have leading 0s');
    else errors.invalid(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  } else if (isV6(value) && isMapped(value)) errors.invalid(path, value, 'must not be an IPv4-mapped IPv6 address');
}

/** An address in a new field: valid and written in its one canonical form. */
export function validCanonicalIP(value: string, errors: Errors, path: Path): void {
  const before = errors.list.length;
  validIP(value, errors, path);
  if (errors.list.length > before || isIPv4(value)) return;
  const canonical = canonicalV6(value);
  if (canonical !== value) errors.invalid(path, value, `must be in canonical form (${JSON.stringify(canonical)})`);
}

/** RFC 5952. @param value a valid IPv6 address without zone */
function canonicalV6(value: string): string {
  return new URL(`http://[${value}]/`).hostname.slice(1, -1);
}

/** A range of addresses in a field that has taken sloppy ones before. */
export function validCIDR(value: string, errors: Errors, path: Path, old: readonly string[] = []): void {
  if (old.includes(value)) return;
  const slash = value.indexOf('/');
  const [address, bits] = [value.slice(0, Math.max(slash, 0)), value.slice(slash + 1)];
  const six = isV6(address);
  const strict = isIP(address) !== 0 && !address.includes('%');
  if (slash < 0 || !(strict || sloppyIPv4(address)) || !/^\d{1,6}$/.test(bits) || Number(bits) > (six ? 128 : 32)) {
    errors.invalid(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
  } else if (!strict || (bits.length > 1 && bits.startsWith('0'))) {
    errors.invalid(path, value, 'must not have leading 0s in IP or prefix length');
  } else if (six && isMapped(address)) {
    errors.invalid(path, value, 'must not have an IPv4-mapped IPv6 address');
  } else if ((bitsOf(address) << BigInt(Number(bits))) % (1n << (six ? 128n : 32n)) !== 0n) {
    errors.invalid(path, value, 'must not have bits set beyond the prefix length');
  }
}

/** The address as a number. */
export function bitsOf(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = '', tail] = canonicalV6(address).split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const middle = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...middle, ...right].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

/** Addresses that no endpoint can have: unspecified, loopback, link-local. */
export function validEndpointIP(value: string, errors: Errors, path: Path): void {
  if (isIP(value) === 0) {
    if (!sloppyIPv4(value)) errors.invalid(path, value, 'must be a valid IP address');
    return;
  }
  const six = isIPv6(value);
  const bits = bitsOf(value);
  const top = (prefix: bigint, length: bigint): boolean => bits >> ((six ? 128n : 32n) - length) === prefix;
  if (bits === 0n) errors.invalid(path, value, `may not be unspecified (${value})`);
  if (six ? bits === 1n : top(127n, 8n)) errors.invalid(path, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (six ? top(0x3fan, 10n) : top(0xa9fen, 16n)) {
    errors.invalid(path, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (six ? top(0xff02n, 16n) : top(0xe00000n, 24n)) {
    errors.invalid(path, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
}
