/**
 * Writes protobuf from its end to its start: a message's length is known when
 * its header is due, and nothing is measured twice.
 */
export class ReverseWriter {
  #buffer: Buffer;
  #at: number;

  constructor(size = 4096) {
    this.#buffer = Buffer.allocUnsafe(size);
    this.#at = size;
  }

  /** How many bytes were written. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  finish(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const written = this.length;
    const size = Math.max(this.#buffer.length * 2, written + bytes);
    const larger = Buffer.allocUnsafe(size);
    this.#buffer.copy(larger, size - written, this.#at);
    this.#buffer = larger;
    this.#at = size - written;
  }

  /** A whole number of up to 2^53, or a bigint; negative ones take ten bytes, as int64 does. */
  varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < 0x80) {
      this.#reserve(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    if (typeof value === 'number' && value >= 0 && value < 0x8000_0000) {
      this.#reserve(5);
      const size = value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
      this.#at -= size;
      let rest = value;
      for (let i = 0; i < size - 1; i++) {
        this.#buffer[this.#at + i] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.#buffer[this.#at + size - 1] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    do {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    } while (rest > 0n);
    bytes[bytes.length - 1]! &= 0x7f;
    this.bytes(Uint8Array.from(bytes));
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
  }

  /** UTF-8, without its length. */
  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.#reserve(size);
    this.#at -= size;
    this.#buffer.write(value, this.#at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }
}
