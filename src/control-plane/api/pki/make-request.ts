import { sign } from 'node:crypto';
import { bitString, explicit, integer, oid, sequence, toPem } from './der.ts';
import { encodeName, type Subject } from './names.ts';
import { spki, type KeyPair } from './certificate.ts';

/** Makes a PKCS #10 request (RFC 2986) without attributes, signed with ECDSA and SHA-256, as PEM. */
export function makeSigningRequest(subject: Subject, pair: KeyPair): string {
  const info = sequence(integer(Buffer.from([0])), encodeName(subject), spki(pair.publicKey), explicit(0));
  return toPem('CERTIFICATE REQUEST', sequence(info, sequence(oid('1.2.840.10045.4.3.2')), bitString(sign('sha256', info, pair.privateKey))));
}
