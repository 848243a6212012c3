import { createHash, generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../../../lib/random.ts';
import { bitString, boolean, children, element, explicit, integer, octetString, oid, readOne, sequence, TAG, time, toPem } from './der.ts';
import { decodeName, encodeAlternativeNames, encodeName, type Subject } from './names.ts';

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Key usage bits, as RFC 5280, section 4.2.1.3 numbers them, in the first byte of the bit string. */
const USAGE = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, crlSign: 0x02 } as const;

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A new ECDSA P-256 key. */
export async function newKey(): Promise<KeyPair> {
  return promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
}

/** PKCS #8 PEM. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export interface CertificateRequest {
  readonly subject: Subject;
  readonly publicKey: KeyObject;
  readonly use: 'authority' | 'server' | 'client' | 'server and client';
  /** DNS names and addresses. */
  readonly alternativeNames?: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Issuer {
  readonly subject: Subject;
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
}

/** Makes an X.509 version 3 certificate (RFC 5280), signed with ECDSA and SHA-256, as PEM. */
export function issueCertificate(request: CertificateRequest, issuer: Issuer, random: Random): string {
  const serial = random.bytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_SHA256,
    encodeName(issuer.subject),
    sequence(time(request.notBefore), time(request.notAfter)),
    encodeName(request.subject),
    spki(request.publicKey),
    explicit(3, extensions(request, issuer)),
  );
  return toPem('CERTIFICATE', sequence(body, ECDSA_SHA256, bitString(sign('sha256', body, issuer.key))));
}

function extensions(request: CertificateRequest, issuer: Issuer): Buffer {
  const authority = request.use === 'authority';
  const usage = authority ? USAGE.digitalSignature | USAGE.keyEncipherment | USAGE.keyCertSign : USAGE.digitalSignature | USAGE.keyEncipherment;
  const list = [
    extension('2.5.29.15', true, bitString(Buffer.from([usage]), trailingZeros(usage))),
    extension('2.5.29.19', true, authority ? sequence(boolean(true)) : sequence()),
    extension('2.5.29.14', false, octetString(keyId(request.publicKey))),
    extension('2.5.29.35', false, sequence(element(0x80, keyId(issuer.publicKey)))),
  ];
  if (!authority) {
    const purposes = [...(request.use !== 'client' ? [SERVER_AUTH] : []), ...(request.use !== 'server' ? [CLIENT_AUTH] : [])];
    list.push(extension('2.5.29.37', false, sequence(...purposes.map((purpose) => oid(purpose)))));
  }
  if (request.alternativeNames?.length) list.push(extension('2.5.29.17', false, encodeAlternativeNames(request.alternativeNames)));
  return sequence(...list);
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return critical ? sequence(oid(id), boolean(true), octetString(value)) : sequence(oid(id), octetString(value));
}

function trailingZeros(byte: number): number {
  return byte === 0 ? 0 : 31 - Math.clz32(byte & -byte);
}

export function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** RFC 5280, section 4.2.1.2, method 1: SHA-1 of the key's bits. It names a key and protects nothing. */
function keyId(key: KeyObject): Buffer {
  const [, bits] = children(readOne(spki(key), TAG.sequence), TAG.sequence);
  return createHash('sha1').update(bits!.content.subarray(1)).digest();
}

/** The subject of a certificate, read from its DER: a rendered subject line can be forged by names that hold line breaks. */
export function certificateSubject(der: Buffer): Subject {
  const [body] = children(readOne(der, TAG.sequence), TAG.sequence);
  const fields = children(body, TAG.sequence);
  const hasVersion = fields[0]?.tag === 0xa0;
  const subject = fields[hasVersion ? 5 : 4];
  return decodeName(subject ?? fields[0]!);
}
