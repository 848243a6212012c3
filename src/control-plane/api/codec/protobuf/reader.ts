import { badRequest } from '../../errors.ts';

/** How a value is framed on the wire. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

/** @returns the error for bytes that are no protobuf of the type */
export function malformed(why: string): Error {
  return badRequest(`the body is not valid protobuf: ${why}`);
}

/** Reads protobuf from a part of a buffer. All its methods throw StatusError 400 where the bytes end too early. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** Set by `tag`. */
  number = 0;
  wire = 0;

  constructor(bytes: Buffer, from = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  /** Reads the next field's tag. False at the end. */
  tag(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.varint();
    this.wire = tag & 7;
    this.number = Math.floor(tag / 8);
    if (this.number === 0 || tag > 0xffff_ffff) throw malformed('illegal tag');
    return true;
  }

  /** As a number: exact up to 2^53, and a wrong one above it. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed('integer overflow');
  }

  /** A signed 64-bit number; bigint where a double would not hold it. */
  int64(): number | bigint {
    const from = this.#at;
    let length = 0;
    while (this.#byte() >= 0x80) if (++length >= 10) throw malformed('integer overflow');
    if (length < 7) {
      this.#at = from;
      return this.varint();
    }
    let value = 0n;
    for (let at = this.#at - 1; at >= from; at--) value = (value << 7n) | BigInt(this.#bytes[at]! & 0x7f);
    const signed = BigInt.asIntN(64, value);
    return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(signed) : signed;
  }

  double(): number {
    const from = this.#skip(8);
    return this.#bytes.readDoubleLE(from);
  }

  /** The part that a length leads. */
  part(): Reader {
    const length = this.varint();
    const from = this.#skip(length);
    return new Reader(this.#bytes, from, from + length);
  }

  bytes(): Buffer {
    const length = this.varint();
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  text(): string {
    return this.bytes().toString();
  }

  get empty(): boolean {
    return this.#at >= this.#end;
  }

  /** Passes over the value of a field that nobody knows. */
  skip(): void {
    switch (this.wire) {
      case VARINT: this.int64(); return;
      case FIXED64: this.#skip(8); return;
      case BYTES: this.bytes(); return;
      case FIXED32: this.#skip(4); return;
      default: throw malformed(`wire type ${this.wire} is not supported`);
    }
  }

  expect(wire: number): void {
    if (this.wire !== wire) throw malformed(`wrong wireType = ${this.wire} for field ${this.number}`);
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed('unexpected EOF');
    return this.#bytes[this.#at++]!;
  }

  #skip(count: number): number {
    if (count > this.#end - this.#at) throw malformed('unexpected EOF');
    const from = this.#at;
    this.#at += count;
    return from;
  }
}
