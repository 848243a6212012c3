import { LongshoreError } from '../../lib/errors.ts';
import { contains, formatIPv4, formatSubnet, sizeOf } from './subnets.ts';
import type { Subnet } from './subnets.ts';

/** The largest subnet that gets a bitmap of its own size: 128 KiB. Of a larger one the first 2^20 addresses are given out. */
const MOST = 2 ** 20;

/** A network's addresses: a bit each, lowest first. The first address, the last and the gateway are never given out. */
export class Addresses {
  readonly subnet: Subnet;
  #range: Subnet;
  #bits: Uint32Array;
  #first: number;
  #count: number;
  /** No word below this has a free bit. */
  #hint = 0;

  /** @param range where addresses without a wish come from, within the subnet */
  constructor(subnet: Subnet, gateway: number, range: Subnet = subnet) {
    this.subnet = subnet;
    this.#range = range;
    this.#first = subnet.base;
    this.#count = Math.min(sizeOf(subnet), MOST);
    this.#bits = new Uint32Array(Math.ceil(this.#count / 32));
    this.#mark(gateway);
    if (subnet.prefixLength < 31) {
      this.#mark(subnet.base);
      this.#mark(subnet.base + sizeOf(subnet) - 1);
    }
  }

  /** Takes a given address, or the lowest free one. @throws `exhausted`, `conflict` (in use), `invalid` (not in the subnet) */
  allocate(wish?: number): number {
    if (wish !== undefined) {
      if (!contains(this.subnet, wish)) {
        throw new LongshoreError('invalid', `no configured subnet contains IP address ${formatIPv4(wish)}`, {
          remedy: `Choose one in ${formatSubnet(this.subnet)}.`,
        });
      }
      if (wish - this.#first >= this.#count) {
        throw new LongshoreError(
          'invalid',
          `${formatIPv4(wish)} is too far into ${formatSubnet(this.subnet)}: only its first ${MOST} addresses are used`,
        );
      }
      if (this.#isSet(wish)) throw new LongshoreError('conflict', 'Address already in use', { object: `address ${formatIPv4(wish)}` });
      this.#mark(wish);
      return wish;
    }
    const from = this.#range.base - this.#first;
    const to = Math.min(from + sizeOf(this.#range), this.#count);
    for (let word = Math.max(this.#hint, from >>> 5); word << 5 < to; word++) {
      const bits = this.#bits[word]!;
      if (bits === 0xffff_ffff) {
        if (word === this.#hint) this.#hint++;
        continue;
      }
      for (let at = Math.max(word << 5, from); at < Math.min((word + 1) << 5, to); at++) {
        if (((bits >>> (at & 31)) & 1) === 0) {
          this.#mark(this.#first + at);
          return this.#first + at;
        }
      }
    }
    throw new LongshoreError('exhausted', `no available IPv4 addresses on this network's address pools: ${formatSubnet(this.#range)}`, {
      remedy: 'Remove containers from the network, or make one with a larger subnet.',
    });
  }

  release(address: number): void {
    const at = address - this.#first;
    if (at < 0 || at >= this.#count) return;
    this.#bits[at >>> 5] = this.#bits[at >>> 5]! & ~(1 << (at & 31));
    this.#hint = Math.min(this.#hint, at >>> 5);
  }

  #mark(address: number): void {
    const at = address - this.#first;
    if (at < this.#count) this.#bits[at >>> 5] = this.#bits[at >>> 5]! | (1 << (at & 31));
  }

  #isSet(address: number): boolean {
    const at = address - this.#first;
    return ((this.#bits[at >>> 5]! >>> (at & 31)) & 1) === 1;
  }
}
