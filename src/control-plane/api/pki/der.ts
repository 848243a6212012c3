import { LongshoreError } from '../../../lib/errors.ts';

// Distinguished Encoding Rules (ITU-T X.690): as much as X.509 certificates and PKCS #10 requests need.

export const TAG = {
  boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, utf8: 0x0c, printable: 0x13, ia5: 0x16,
  utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30, set: 0x31,
} as const;

/** One element: tag, length, and the parts one after the other. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new LongshoreError('invalid', 'a DER element would be longer than 65,535 bytes');
  return Buffer.concat([Buffer.from(head), ...parts]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(TAG.sequence, ...parts);
export const octetString = (bytes: Uint8Array): Buffer => element(TAG.octetString, bytes);
export const boolean = (value: boolean): Buffer => element(TAG.boolean, Buffer.from([value ? 0xff : 0]));
export const utf8 = (text: string): Buffer => element(TAG.utf8, Buffer.from(text));

/** Constructed, context-specific tag [n], explicit. */
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Buffer => element(0xa0 | n, ...parts);

/** A non-negative whole number from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const magnitude = bytes.subarray(start);
  return element(TAG.integer, magnitude[0]! >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), magnitude);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return element(TAG.bitString, Buffer.from([unusedBits]), bytes);
}

export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  const out = [first! * 40 + second!];
  for (const arc of rest) {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
    out.push(...digits);
  }
  return element(TAG.oid, Buffer.from(out));
}

/** RFC 5280, section 4.1.2.5: UTCTime through 2049, GeneralizedTime after. `ms` since the Unix epoch. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '');
  return digits < '2050' ? element(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`)) : element(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}

/** A parsed element; `raw` covers the tag and length too. */
export interface DerNode {
  readonly tag: number;
  readonly raw: Buffer;
  readonly content: Buffer;
}

/** Reads the elements that stand one after the other in `bytes`. @throws LongshoreError `invalid` on anything that is not DER */
export function readAll(bytes: Buffer): DerNode[] {
  const out: DerNode[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let length = bytes[at + 1];
    let start = at + 2;
    if (length === undefined || (tag & 0x1f) === 0x1f) throw malformed();
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3 || start + count > bytes.length) throw malformed();
      length = bytes.readUIntBE(start, count);
      start += count;
    }
    if (start + length > bytes.length) throw malformed();
    out.push({ tag, raw: bytes.subarray(at, start + length), content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return out;
}

/** The one element that `bytes` is. */
export function readOne(bytes: Buffer, tag: number): DerNode {
  const nodes = readAll(bytes);
  if (nodes.length !== 1 || nodes[0]!.tag !== tag) throw malformed();
  return nodes[0]!;
}

export function children(node: DerNode | undefined, tag: number): DerNode[] {
  if (node === undefined || node.tag !== tag) throw malformed();
  return readAll(node.content);
}

export function readOid(node: DerNode | undefined): string {
  if (node === undefined || node.tag !== TAG.oid || node.content.length === 0) throw malformed();
  const first = node.content[0]!;
  const arcs = [Math.min(Math.floor(first / 40), 2), first - Math.min(Math.floor(first / 40), 2) * 40];
  let arc = 0;
  for (const byte of node.content.subarray(1)) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  return arcs.join('.');
}

export function malformed(): LongshoreError {
  return new LongshoreError('invalid', 'malformed DER encoding');
}

/** PEM (RFC 7468) around DER. */
export function toPem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
}

/** The bytes of the first block with that label. @throws LongshoreError `invalid` when there is none */
export function fromPem(label: string, pem: string): Buffer {
  const begin = `-----BEGIN ${label}-----`;
  const start = pem.indexOf(begin);
  const end = pem.indexOf(`-----END ${label}-----`, start);
  if (start < 0 || end < 0) throw new LongshoreError('invalid', `no PEM block of type ${label}`);
  return Buffer.from(pem.slice(start + begin.length, end), 'base64');
}
