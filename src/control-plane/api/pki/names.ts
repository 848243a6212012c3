import { isIPv4, isIPv6 } from 'node:net';
import { children, element, malformed, oid, readAll, readOid, sequence, TAG, utf8, type DerNode } from './der.ts';

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';

/** Whom a certificate is for: the common name is the user, the organizations are the groups. */
export interface Subject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** X.501 Name: organizations first, each a set of its own, then the common name. */
export function encodeName(subject: Subject): Buffer {
  const attribute = (type: string, value: string): Buffer => element(TAG.set, sequence(oid(type), utf8(value)));
  return sequence(...subject.organizations.map((group) => attribute(ORGANIZATION, group)), attribute(COMMON_NAME, subject.commonName));
}

/** Reads the parts of a Name that Kubernetes knows; others are passed over. */
export function decodeName(name: DerNode): Subject {
  let commonName = '';
  const organizations: string[] = [];
  for (const set of children(name, TAG.sequence)) {
    for (const pair of children(set, TAG.set)) {
      const [type, value] = children(pair, TAG.sequence);
      const key = readOid(type);
      if (value === undefined) throw malformed();
      if (key === COMMON_NAME) commonName = text(value);
      else if (key === ORGANIZATION) organizations.push(text(value));
    }
  }
  return { commonName, organizations };
}

function text(node: DerNode): string {
  if (node.tag !== TAG.utf8 && node.tag !== TAG.printable && node.tag !== TAG.ia5) throw malformed();
  return node.content.toString('utf8');
}

/** GeneralNames (RFC 5280, section 4.2.1.6) of DNS names and addresses. */
export function encodeAlternativeNames(names: readonly string[]): Buffer {
  return sequence(...names.map((name) => (isIPv4(name) || isIPv6(name) ? element(0x87, addressBytes(name)) : element(0x82, Buffer.from(name, 'ascii')))));
}

/** @returns undefined when there are names of other kinds than DNS and IP */
export function decodeAlternativeNames(der: Buffer): string[] | undefined {
  const out: string[] = [];
  for (const node of children(readAll(der)[0], TAG.sequence)) {
    if (node.tag === 0x82) out.push(node.content.toString('ascii'));
    else if (node.tag === 0x87 && (node.content.length === 4 || node.content.length === 16)) out.push(addressText(node.content));
    else return undefined;
  }
  return out;
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').flatMap((word) => {
    if (!word.includes('.')) return [Number.parseInt(word, 16)];
    const [a, b, c, d] = word.split('.').map(Number);
    return [a! * 256 + b!, c! * 256 + d!];
  }));
  const first = words(head);
  const last = tail === undefined ? [] : words(tail);
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  const out = Buffer.alloc(16);
  all.forEach((word, at) => out.writeUInt16BE(word, at * 2));
  return out;
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(':');
}
