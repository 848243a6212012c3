import { randomBytes } from 'node:crypto';

/** Randomness as a parameter; a test hands in a seeded one. */
export interface Random {
  /** `n` bytes, fit for secrets when it is the system's. */
  bytes(n: number): Buffer;
}

/** Draws from the kernel in blocks of 4 KiB: a call per uid would be a system call each. */
class PooledRandom implements Random {
  #pool = Buffer.alloc(0);
  #at = 0;

  bytes(n: number): Buffer {
    if (n > 1024) return randomBytes(n);
    if (this.#at + n > this.#pool.length) {
      this.#pool = randomBytes(4096);
      this.#at = 0;
    }
    return Buffer.from(this.#pool.subarray(this.#at, (this.#at += n)));
  }
}

export const systemRandom: Random = new PooledRandom();

/** The alphabet of Kubernetes' generated names: no vowels, and none of 0, 1 and 3, so that no word is spelt by accident. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** The suffix that generateName gets: `length` characters of the alphabet above. */
export function nameSuffix(random: Random, length = 5): string {
  let out = '';
  for (const byte of random.bytes(length)) out += NAME_ALPHABET[byte % NAME_ALPHABET.length];
  return out;
}

const HEX = Buffer.from('0123456789abcdef');
const UUID_TEXT = Buffer.alloc(36, '-');
/** Where the text of each byte of a UUID begins. */
const UUID_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** A random UUID, version 4 (RFC 9562, section 5.4). */
export function uuid(random: Random): string {
  const b = random.bytes(16);
  b[6] = (b[6]! & 0x0f) | 0x40;
  b[8] = (b[8]! & 0x3f) | 0x80;
  for (let n = 0; n < 16; n++) {
    const at = UUID_AT[n]!;
    UUID_TEXT[at] = HEX[b[n]! >> 4]!;
    UUID_TEXT[at + 1] = HEX[b[n]! & 15]!;
  }
  return UUID_TEXT.toString('latin1');
}

/** `bytes` random bytes in lower-case hexadecimal; 32 make a container id. */
export function hexId(random: Random, bytes = 32): string {
  return random.bytes(bytes).toString('hex');
}

/** A whole number from 0 up to, without, `below` (at most 2^32). */
export function randomInt(random: Random, below: number): number {
  return Math.floor((random.bytes(4).readUInt32LE(0) / 2 ** 32) * below);
}
