/** The part of the DNS wire format (RFC 1035, section 4) that a resolver for a few names needs. */

export const TYPE_A = 1;
export const TYPE_PTR = 12;
const CLASS_IN = 1;

export const RCODE_OK = 0;
export const RCODE_FORMAT = 1;
export const RCODE_FAILURE = 2;
export const RCODE_NOT_IMPLEMENTED = 4;

const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;

export interface Query {
  readonly id: number;
  readonly flags: number;
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** End of the question in the message. */
  readonly end: number;
}

/** The one question of a query; undefined for what is none, or malformed. */
export function parseQuery(data: Buffer): Query | undefined {
  if (data.length < HEADER_BYTES || data.readUInt16BE(4) !== 1) return undefined;
  const flags = data.readUInt16BE(2);
  if (flags & FLAG_RESPONSE) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = data[at];
    // A question's name is the first in the message, so it can't be compressed.
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    if (at + length > data.length || at - HEADER_BYTES > 255) return undefined;
    labels.push(data.toString('latin1', at, at + length).toLowerCase());
    at += length;
  }
  if (at + 4 > data.length) return undefined;
  return { id: data.readUInt16BE(0), flags, name: labels.join('.'), type: data.readUInt16BE(at), class: data.readUInt16BE(at + 2), end: at + 4 };
}

export function isStandardQuery(query: Query): boolean {
  return (query.flags & OPCODE_MASK) === 0 && query.class === CLASS_IN;
}

export interface Answer {
  readonly type: number;
  /** An address's bytes, or an encoded name. */
  readonly data: Buffer;
}

/** The response with the question repeated. What doesn't fit into `maxBytes` is left out, and the truncation bit says so. */
export function respond(message: Buffer, query: Query, rcode: number, answers: readonly Answer[], ttlSeconds: number, maxBytes: number): Buffer {
  const question = message.subarray(HEADER_BYTES, query.end);
  const header = Buffer.alloc(HEADER_BYTES);
  const parts: Buffer[] = [];
  let size = HEADER_BYTES + question.length;
  let truncated = false;
  for (const answer of answers) {
    const record = Buffer.alloc(12 + answer.data.length);
    record.writeUInt16BE(0xc000 | HEADER_BYTES, 0); // the question's name
    record.writeUInt16BE(answer.type, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(ttlSeconds, 6);
    record.writeUInt16BE(answer.data.length, 10);
    record.set(answer.data, 12);
    if (size + record.length > maxBytes) {
      truncated = true;
      break;
    }
    size += record.length;
    parts.push(record);
  }
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(
    FLAG_RESPONSE |
      (query.flags & (OPCODE_MASK | FLAG_RECURSION_DESIRED)) |
      FLAG_RECURSION_AVAILABLE |
      (truncated ? FLAG_TRUNCATED : 0) |
      rcode,
    2,
  );
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(parts.length, 6);
  return Buffer.concat([header, question, ...parts]);
}

/** A name in its wire form. */
export function encodeName(name: string): Buffer {
  const parts = name.split('.').filter((label) => label !== '').map((label) => {
    const bytes = Buffer.from(label, 'latin1').subarray(0, 63);
    return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
  });
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}

/** The address that `4.3.2.1.in-addr.arpa` asks for. */
export function reverseAddress(name: string): string | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  return match ? match.slice(1).toReversed().join('.') : undefined;
}
