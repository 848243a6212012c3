import { LongshoreError } from '../../../lib/errors.ts';

/** A range of IPv4 addresses. */
export interface Cidr {
  /** The network address as a number. */
  readonly base: number;
  /** How many addresses, network and broadcast among them. */
  readonly size: number;
}

/** @throws LongshoreError `invalid` */
export function parseCidr(text: string): Cidr {
  const found = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = found && parseIpv4(found[1]!);
  const bits = Number(found?.[2]);
  if (address === null || address === undefined || bits < 8 || bits > 30) {
    throw new LongshoreError('invalid', `${text} is no range of addresses for Services`, {
      object: text,
      remedy: 'name an IPv4 range of /8 to /30, as in 10.96.0.0/16',
    });
  }
  const size = 2 ** (32 - bits);
  return { base: address - (address % size), size };
}

/** An IPv4 address in its canonical form as a number; undefined for anything else (leading zeros among them). */
export function parseIpv4(text: string): number | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
