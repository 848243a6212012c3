import type { ScalarKind } from '../../../../types/kubernetes/schema.ts';
import { encodeJson, parseJson } from '../json.ts';
import { BYTES, FIXED64, VARINT, type Reader } from './reader.ts';
import type { ReverseWriter } from './writer.ts';

export type PlainScalar = Exclude<ScalarKind, `JSONSchemaProps${string}`>;

/** Encodes and decodes one value, without its tag. */
export interface Coder {
  readonly wire: number;
  /** Writes the value with its length, where it has one. */
  write(writer: ReverseWriter, value: unknown): void;
  /** Reads a value; undefined: the zero value that JSON leaves out (an empty time). */
  read(reader: Reader, depth: number): unknown;
}

/** Writes a part and then the length that leads it. */
export function withLength(writer: ReverseWriter, write: () => void): void {
  const before = writer.length;
  write();
  writer.varint(writer.length - before);
}

export function tag(writer: ReverseWriter, number: number, wire: number): void {
  writer.varint(number * 8 + wire);
}

/** A message that wraps one string or some bytes as its field 1. */
function wrapper(write: (value: unknown) => Uint8Array | string, read: (bytes: Buffer) => unknown, empty: unknown): Coder {
  return {
    wire: BYTES,
    write: (writer, value) => withLength(writer, () => {
      const inner = write(value);
      withLength(writer, () => (typeof inner === 'string' ? writer.text(inner) : writer.bytes(inner)));
      tag(writer, 1, BYTES);
    }),
    read: (reader) => {
      let found: unknown = empty;
      const part = reader.part();
      while (part.tag()) {
        if (part.number === 1 && part.wire === BYTES) found = read(part.bytes());
        else part.skip();
      }
      return found;
    },
  };
}

const string: Coder = {
  wire: BYTES,
  write: (writer, value) => withLength(writer, () => writer.text(String(value))),
  read: (reader) => reader.text(),
};

const integer: Coder = {
  wire: VARINT,
  write: (writer, value) => writer.varint(value as number | bigint),
  read: (reader) => reader.int64(),
};

/** Seconds and nanoseconds (google.protobuf.Timestamp). */
function time(digits: 0 | 6): Coder {
  return {
    wire: BYTES,
    write: (writer, value) => withLength(writer, () => {
      const text = String(value);
      const nanos = Number((/\.(\d{1,9})/.exec(text)?.[1] ?? '').padEnd(9, '0'));
      if (nanos > 0) {
        writer.varint(nanos);
        tag(writer, 2, VARINT);
      }
      writer.varint(Math.floor(Date.parse(text) / 1000));
      tag(writer, 1, VARINT);
    }),
    read: (reader) => {
      const part = reader.part();
      if (part.empty) return undefined;
      let seconds = 0;
      let nanos = 0;
      while (part.tag()) {
        if (part.number === 1 && part.wire === VARINT) seconds = Number(part.int64());
        else if (part.number === 2 && part.wire === VARINT) nanos = Number(part.int64());
        else part.skip();
      }
      const date = new Date(seconds * 1000);
      if (Number.isNaN(date.getTime())) return undefined;
      const fraction = digits === 0 ? '' : `.${String(Math.floor(nanos / 1000)).padStart(6, '0')}`;
      return `${date.toISOString().slice(0, -5)}${fraction}Z`;
    },
  };
}

const intOrString: Coder = {
  wire: BYTES,
  write: (writer, value) => withLength(writer, () => {
    if (typeof value === 'string') {
      string.write(writer, value);
      tag(writer, 3, BYTES);
    } else {
      writer.varint(value as number);
      tag(writer, 2, VARINT);
    }
    writer.varint(typeof value === 'string' ? 1 : 0);
    tag(writer, 1, VARINT);
  }),
  read: (reader) => {
    let type = 0;
    let number = 0;
    let text = '';
    const part = reader.part();
    while (part.tag()) {
      if (part.number === 1 && part.wire === VARINT) type = part.varint();
      else if (part.number === 2 && part.wire === VARINT) number = Number(part.int64());
      else if (part.number === 3 && part.wire === BYTES) text = part.text();
      else part.skip();
    }
    return type === 1 ? text : number;
  },
};

const UNITS: Readonly<Record<string, bigint>> = { ns: 1n, us: 1000n, µs: 1000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n };

/** Nanoseconds, from Go's notation. */
const duration: Coder = {
  wire: BYTES,
  write: (writer, value) => withLength(writer, () => {
    let nanos = 0n;
    for (const [, whole = '', fraction = '', unit = 's'] of String(value).matchAll(/(\d*)\.?(\d*)(ns|us|µs|ms|h|m|s)/g)) {
      nanos += BigInt(whole || '0') * UNITS[unit]! + (fraction === '' ? 0n : (BigInt(fraction) * UNITS[unit]!) / 10n ** BigInt(fraction.length));
    }
    writer.varint(String(value).startsWith('-') ? -nanos : nanos);
    tag(writer, 1, VARINT);
  }),
  read: (reader) => {
    let nanos = 0n;
    const part = reader.part();
    while (part.tag()) {
      if (part.number === 1 && part.wire === VARINT) nanos = BigInt(part.int64());
      else part.skip();
    }
    return `${nanos}ns`;
  },
};

/** A JSON value as raw bytes. */
const rawJson = wrapper((value) => encodeJson(value), (bytes) => (bytes.length === 0 ? undefined : parseJson(bytes).value), undefined);

const bool: Coder = {
  wire: VARINT,
  write: (writer, value) => writer.varint(value === true ? 1 : 0),
  read: (reader) => reader.varint() !== 0,
};

/** Scalars whose form does not depend on a schema. */
export const SCALAR_CODERS: Readonly<Record<PlainScalar, Coder>> = {
  string,
  bool,
  int32: integer,
  int64: integer,
  float64: { wire: FIXED64, write: (writer, value) => writer.double(Number(value)), read: (reader) => reader.double() },
  bytes: {
    wire: BYTES,
    write: (writer, value) => withLength(writer, () => writer.bytes(Buffer.from(value as string, 'base64'))),
    read: (reader) => reader.bytes().toString('base64'),
  },
  Quantity: wrapper((value) => String(value), (bytes) => bytes.toString(), '0'),
  IntOrString: intOrString,
  Time: time(0),
  MicroTime: time(6),
  Duration: duration,
  RawExtension: rawJson,
  FieldsV1: rawJson,
  JSON: rawJson,
};
