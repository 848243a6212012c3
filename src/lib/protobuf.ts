/**
 * Protocol buffers (protobuf.dev, "Encoding"), by small tables: what messages a wire needs is
 * written down as a table of fields, beside an interface of the same shape.
 *
 * ```ts
 * interface Point { readonly x: number; readonly name: string }
 * const Point = message<Point>({ x: [1, 'int64'], name: [2, 'string'] });
 * Point.decode(Point.encode({ x: 3 })).name; // ''
 * ```
 */
type Scalar = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'bigint' | 'uint32';
type Kind = Scalar | Message<unknown> | (() => Message<unknown>);

/** Number and kind; `repeated` for lists, `map` for maps with keys of text (their values' kind follows). */
export type Field = readonly [number: number, kind: Kind, how?: 'repeated' | 'map'];

/** A malformed message. */
export class ProtobufError extends Error {}

const MAX_DEPTH = 64;

interface Compiled {
  readonly name: string;
  readonly number: number;
  readonly kind: Kind;
  readonly how: 'repeated' | 'map' | undefined;
}

/** A message's table. Decoded messages have every field: what is missing is empty, and a missing message undefined. */
export class Message<T> {
  readonly #byNumber = new Map<number, Compiled>();
  readonly #fields: readonly Compiled[];

  constructor(fields: Readonly<Record<string, Field>>) {
    this.#fields = Object.entries(fields).map(([name, [number, kind, how]]) => ({ name, number, kind, how }));
    for (const field of this.#fields) this.#byNumber.set(field.number, field);
  }

  encode(value: Partial<T>): Buffer {
    const writer = new Writer();
    this.write(writer, value);
    return writer.finish();
  }

  /** @throws ProtobufError */
  decode(bytes: Uint8Array, depth = 0): T {
    if (depth > MAX_DEPTH) throw new ProtobufError('the message is nested too deeply');
    const out: Record<string, unknown> = {};
    for (const field of this.#fields) out[field.name] = initial(field);
    const reader = new Reader(bytes);
    while (!reader.done) {
      const tag = reader.varint();
      const field = this.#byNumber.get(tag >>> 3);
      if (!field) reader.skip(tag & 7);
      else decodeField(out, field, reader, tag & 7, depth);
    }
    return out as T;
  }

  write(writer: Writer, value: Readonly<Record<string, unknown>>): void {
    for (const field of this.#fields) {
      const item = value[field.name];
      if (item === undefined || item === null) continue;
      if (field.how === 'repeated') for (const each of item as unknown[]) writeOne(writer, field.number, field.kind, each, true);
      else if (field.how === 'map') {
        for (const [key, each] of Object.entries(item as Record<string, unknown>)) {
          const entry = new Writer();
          writeOne(entry, 1, 'string', key, true);
          writeOne(entry, 2, field.kind, each, true);
          writer.bytes(field.number, entry.finish());
        }
      } else writeOne(writer, field.number, field.kind, item, false);
    }
  }
}

export function message<T>(fields: Readonly<Record<keyof T & string, Field>>): Message<T> {
  return new Message<T>(fields);
}

function initial({ kind, how }: Compiled): unknown {
  if (how === 'repeated') return [];
  // No prototype: the keys come from elsewhere.
  if (how === 'map') return Object.create(null) as object;
  switch (kind) {
    case 'string':
      return '';
    case 'bytes':
      return Buffer.alloc(0);
    case 'bool':
      return false;
    case 'bigint':
      return 0n;
    case 'int32':
    case 'int64':
    case 'uint32':
      return 0;
    default:
      return undefined;
  }
}

function decodeField(out: Record<string, unknown>, field: Compiled, reader: Reader, wire: number, depth: number): void {
  if (field.how === 'map') {
    const entry = new Reader(reader.bytes(wire));
    let key = '';
    let value = initial({ ...field, how: undefined }) ?? (typeof field.kind === 'string' ? undefined : tableOf(field.kind).decode(Buffer.alloc(0)));
    while (!entry.done) {
      const tag = entry.varint();
      if (tag >>> 3 === 1) key = entry.bytes(tag & 7).toString('utf8');
      else if (tag >>> 3 === 2) value = readOne(field.kind, entry, tag & 7, depth);
      else entry.skip(tag & 7);
    }
    (out[field.name] as Record<string, unknown>)[key] = value;
    return;
  }
  if (field.how === 'repeated') {
    const list = out[field.name] as unknown[];
    const packed = wire === 2 && typeof field.kind === 'string' && field.kind !== 'string' && field.kind !== 'bytes';
    if (!packed) {
      list.push(readOne(field.kind, reader, wire, depth));
      return;
    }
    const inner = new Reader(reader.bytes(wire));
    while (!inner.done) list.push(readOne(field.kind, inner, 0, depth));
    return;
  }
  out[field.name] = readOne(field.kind, reader, wire, depth);
}

function readOne(kind: Kind, reader: Reader, wire: number, depth: number): unknown {
  switch (kind) {
    case 'string':
      return reader.bytes(wire).toString('utf8');
    case 'bytes':
      return reader.bytes(wire);
    case 'bool':
      return reader.long(wire) !== 0n;
    case 'bigint':
      return BigInt.asIntN(64, reader.long(wire));
    case 'int32':
    case 'int64':
      return Number(BigInt.asIntN(64, reader.long(wire)));
    case 'uint32':
      return Number(BigInt.asUintN(32, reader.long(wire)));
    default:
      return tableOf(kind).decode(reader.bytes(wire), depth + 1);
  }
}

function tableOf(kind: Message<unknown> | (() => Message<unknown>)): Message<unknown> {
  return typeof kind === 'function' ? kind() : kind;
}

/** @param always write zero values too: within lists and maps they count */
function writeOne(writer: Writer, number: number, kind: Kind, value: unknown, always: boolean): void {
  switch (kind) {
    case 'string':
      if (always || value !== '') writer.bytes(number, Buffer.from(value as string));
      return;
    case 'bytes':
      if (always || (value as Uint8Array).length > 0) writer.bytes(number, value as Uint8Array);
      return;
    case 'bool':
      if (always || value === true) writer.long(number, value === true ? 1n : 0n);
      return;
    case 'bigint':
    case 'int32':
    case 'int64':
    case 'uint32':
      if (always || Number(value) !== 0) {
        writer.long(number, BigInt.asUintN(64, typeof value === 'bigint' ? value : BigInt(Math.trunc(value as number))));
      }
      return;
    default: {
      const inner = new Writer();
      tableOf(kind).write(inner, value as Record<string, unknown>);
      writer.bytes(number, inner.finish());
    }
  }
}

class Writer {
  readonly #parts: Uint8Array[] = [];

  bytes(number: number, value: Uint8Array): void {
    this.#varint(BigInt((number << 3) | 2));
    this.#varint(BigInt(value.length));
    this.#parts.push(value);
  }

  long(number: number, value: bigint): void {
    this.#varint(BigInt(number << 3));
    this.#varint(value);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #varint(value: bigint): void {
    const out: number[] = [];
    if (value < 0x8000_0000n) {
      let small = Number(value);
      for (; small > 127; small >>>= 7) out.push((small & 127) | 128);
      out.push(small);
    } else {
      for (; value > 127n; value >>= 7n) out.push(Number(value & 127n) | 128);
      out.push(Number(value));
    }
    this.#parts.push(Uint8Array.from(out));
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Up to 32 bits: tags and lengths. */
  varint(): number {
    const value = this.#long();
    if (value > 0xffff_ffffn) throw new ProtobufError('a tag or length is out of range');
    return Number(value);
  }

  long(wire: number): bigint {
    if (wire !== 0) throw new ProtobufError(`wire type ${wire} where a number should be`);
    return this.#long();
  }

  bytes(wire: number): Buffer {
    if (wire !== 2) throw new ProtobufError(`wire type ${wire} where bytes should be`);
    const length = this.varint();
    if (length > this.#bytes.length - this.#at) throw new ProtobufError('the message is cut off');
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  skip(wire: number): void {
    if (wire === 0) this.#long();
    else if (wire === 1) this.#at += 8;
    else if (wire === 2) this.bytes(2);
    else if (wire === 5) this.#at += 4;
    else throw new ProtobufError(`unknown wire type ${wire}`);
    if (this.#at > this.#bytes.length) throw new ProtobufError('the message is cut off');
  }

  #long(): bigint {
    let small = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#next();
      small |= (byte & 127) << shift;
      if (byte < 128) return BigInt(small);
    }
    let value = BigInt(small);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#next();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('a number is longer than 10 bytes');
  }

  #next(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new ProtobufError('the message is cut off');
    return byte;
  }
}
