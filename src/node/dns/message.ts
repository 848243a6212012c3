/** The part of the DNS wire format (RFC 1035, 2782, 6891) that a cluster's name server speaks. */
export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

export interface Question {
  /** Lower case, without the final dot. */
  readonly name: string;
  /** As it was asked: answers repeat its letters' case (0x20). */
  readonly asked: string;
  readonly type: number;
  readonly class: number;
}

export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly question: Question;
  /** Largest UDP answer that the client takes, in bytes: 512 without EDNS. */
  readonly udpSize: number;
  readonly edns: boolean;
}

export type ResourceRecord = { readonly name: string; readonly ttl: number } & (
  | { readonly type: 'A'; readonly address: string }
  | { readonly type: 'CNAME' | 'PTR' | 'NS'; readonly target: string }
  | { readonly type: 'SRV'; readonly priority: number; readonly weight: number; readonly port: number; readonly target: string }
  | { readonly type: 'SOA'; readonly primary: string; readonly mailbox: string; readonly serial: number; readonly minimum: number }
);

const HEADER_BYTES = 12;
const LONGEST_NAME = 255;

/**
 * Reads a query. Compression in a question is legal but nobody sends it, so it counts as malformed.
 * @returns undefined for what is not a query with exactly one question
 */
export function readQuery(packet: Buffer): Query | undefined {
  if (packet.length < HEADER_BYTES) return undefined;
  const flags = packet.readUInt16BE(2);
  if (flags & 0x8000 || packet.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = packet[at];
    if (length === undefined || length > 63 || at - HEADER_BYTES > LONGEST_NAME) return undefined;
    at++;
    if (length === 0) break;
    if (at + length > packet.length) return undefined;
    labels.push(packet.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > packet.length) return undefined;
  const asked = labels.join('.');
  const question = { name: asked.toLowerCase(), asked, type: packet.readUInt16BE(at), class: packet.readUInt16BE(at + 2) };
  const edns = readEdns(packet, at + 4);
  return {
    id: packet.readUInt16BE(0),
    opcode: (flags >> 11) & 15,
    recursionDesired: (flags & 0x100) !== 0,
    question,
    udpSize: Math.min(4096, Math.max(512, edns ?? 512)),
    edns: edns !== undefined,
  };
}

/** The OPT record's UDP size where it stands first among the additional records, as resolvers send it. */
function readEdns(packet: Buffer, at: number): number | undefined {
  if (packet.readUInt16BE(10) === 0 || packet.readUInt16BE(6) !== 0 || packet.readUInt16BE(8) !== 0) return undefined;
  if (at + 11 > packet.length || packet[at] !== 0 || packet.readUInt16BE(at + 1) !== TYPE.OPT) return undefined;
  return packet.readUInt16BE(at + 3);
}

export interface Answer {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authority?: readonly ResourceRecord[];
}

/** Writes the answer to a query; cut to a truncated, empty one when it does not fit into `limit` bytes. */
export function writeAnswer(query: Query, { rcode, authoritative, answers, authority = [] }: Answer, limit: number): Buffer {
  const names = new Map<string, number>();
  const header = Buffer.alloc(HEADER_BYTES);
  const parts: Buffer[] = [header];
  let size = HEADER_BYTES;
  const push = (part: Buffer): void => {
    parts.push(part);
    size += part.length;
  };
  push(writeName(query.question.asked, names, size));
  push(u16(query.question.type, query.question.class));
  const questionParts = parts.length;
  for (const record of [...answers, ...authority]) {
    push(writeName(record.name, names, size));
    const data = writeData(record, names, size + 10);
    push(Buffer.concat([u16(TYPE[record.type], 1), u32(record.ttl), u16(data.length), data]));
  }
  const truncated = size + (query.edns ? 11 : 0) > limit;
  if (truncated) parts.length = questionParts;
  if (query.edns) parts.push(Buffer.from([0, 0, TYPE.OPT, 0x10, 0, 0, 0, 0, 0, 0, 0]));
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(
    0x8000 |
      (query.opcode << 11) |
      (authoritative ? 0x400 : 0) |
      (truncated ? 0x200 : 0) |
      (query.recursionDesired ? 0x100 : 0) |
      0x80 |
      rcode,
    2,
  );
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(truncated ? 0 : answers.length, 6);
  header.writeUInt16BE(truncated ? 0 : authority.length, 8);
  header.writeUInt16BE(query.edns ? 1 : 0, 10);
  return Buffer.concat(parts);
}

function writeData(record: ResourceRecord, names: Map<string, number>, at: number): Buffer {
  switch (record.type) {
    case 'A': return Buffer.from(record.address.split('.').map(Number));
    // SRV targets must not be compressed (RFC 2782).
    case 'SRV':
      return Buffer.concat([u16(record.priority, record.weight, record.port), writeName(record.target, new Map(), 0)]);
    case 'SOA':
      return Buffer.concat([
        writeName(record.primary, new Map(), 0),
        writeName(record.mailbox, new Map(), 0),
        u32(record.serial, 7200, 1800, 86400, record.minimum),
      ]);
    default:
      return writeName(record.target, names, at);
  }
}

/** A name, compressed against what was written before. `at`: its place in the message. */
function writeName(name: string, names: Map<string, number>, at: number): Buffer {
  const parts: Buffer[] = [];
  const labels = name === '' ? [] : name.split('.');
  let offset = at;
  for (let i = 0; i < labels.length; i++) {
    const rest = labels.slice(i).join('.').toLowerCase();
    const known = names.get(rest);
    if (known !== undefined) {
      parts.push(u16(0xc000 | known));
      return Buffer.concat(parts);
    }
    if (at > 0 && offset < 0x4000) names.set(rest, offset);
    const label = Buffer.from(labels[i]!, 'latin1');
    parts.push(Buffer.from([label.length]), label);
    offset += label.length + 1;
  }
  parts.push(Buffer.from([0]));
  return Buffer.concat(parts);
}

function u16(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 2);
  values.forEach((value, at) => out.writeUInt16BE(value, at * 2));
  return out;
}

function u32(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => out.writeUInt32BE(value, at * 4));
  return out;
}
