import { LongshoreError } from '../../../lib/errors.ts';

/** Hands out equal parts of an IPv4 range, in order, starting after the one handed out last. */
export class CidrParts {
  readonly #base: number;
  readonly #partBits: number;
  readonly #count: number;
  readonly #used = new Set<number>();
  #next = 0;

  /** @param cidr as in `10.244.0.0/16` @param maskSize prefix length of the parts @throws LongshoreError `invalid` */
  constructor(cidr: string, maskSize: number) {
    const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr);
    const prefix = Number(match?.[5]);
    if (match === null || prefix > 32 || match.slice(1, 5).some((byte) => Number(byte) > 255)) {
      throw new LongshoreError('invalid', `the cluster CIDR ${JSON.stringify(cidr)} is not an IPv4 range such as 10.244.0.0/16`);
    }
    if (maskSize < prefix || maskSize > 30 || maskSize - prefix > 16) {
      throw new LongshoreError('invalid', `the cluster CIDR ${cidr} cannot be divided into parts of /${maskSize}`);
    }
    const address = match.slice(1, 5).reduce((sum, byte) => sum * 256 + Number(byte), 0);
    this.#base = address - (address % 2 ** (32 - prefix));
    this.#partBits = 32 - maskSize;
    this.#count = 2 ** (maskSize - prefix);
  }

  /** Marks a part as taken; false when it is none of ours. */
  take(part: string): boolean {
    const index = this.#indexOf(part);
    if (index === undefined) return false;
    this.#used.add(index);
    return true;
  }

  free(part: string): void {
    const index = this.#indexOf(part);
    if (index !== undefined) this.#used.delete(index);
  }

  /** A part that nobody has, marked as taken; undefined when none is left. */
  allocate(): string | undefined {
    for (let tried = 0; tried < this.#count; tried++) {
      const index = (this.#next + tried) % this.#count;
      if (this.#used.has(index)) continue;
      this.#used.add(index);
      this.#next = (index + 1) % this.#count;
      return this.#format(index);
    }
    return undefined;
  }

  #format(index: number): string {
    const address = this.#base + index * 2 ** this.#partBits;
    return `${[24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')}/${32 - this.#partBits}`;
  }

  #indexOf(part: string): number | undefined {
    const [ip = '', size] = part.split('/');
    if (Number(size) !== 32 - this.#partBits) return undefined;
    const address = ip.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
    const index = (address - this.#base) / 2 ** this.#partBits;
    return Number.isInteger(index) && index >= 0 && index < this.#count ? index : undefined;
  }
}
