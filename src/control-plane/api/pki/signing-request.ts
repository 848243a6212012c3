import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { LongshoreError } from '../../../lib/errors.ts';
import { children, fromPem, malformed, readAll, readOid, readOne, TAG } from './der.ts';
import { decodeAlternativeNames, decodeName, type Subject } from './names.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const ALTERNATIVE_NAMES = '2.5.29.17';

const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256', '1.2.840.10045.4.3.3': 'sha384', '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256', '1.2.840.113549.1.1.12': 'sha384', '1.2.840.113549.1.1.13': 'sha512',
};

export interface SigningRequest {
  readonly subject: Subject;
  readonly publicKey: KeyObject;
  readonly alternativeNames: readonly string[];
}

/** Reads a PKCS #10 request (RFC 2986) and checks that its maker holds the key. @throws LongshoreError `invalid` */
export function readSigningRequest(pem: string): SigningRequest {
  const [info, algorithm, signature] = children(readOne(fromPem('CERTIFICATE REQUEST', pem), TAG.sequence), TAG.sequence);
  const [, name, key, attributes] = children(info, TAG.sequence);
  if (name === undefined || key === undefined || signature === undefined || signature.tag !== TAG.bitString) throw malformed();
  const hash = HASHES[readOid(children(algorithm, TAG.sequence)[0])];
  if (hash === undefined) {
    throw new LongshoreError('invalid', 'the request is signed with an algorithm that is not ECDSA or RSA with SHA-2');
  }
  const publicKey = createPublicKey({ key: key.raw, format: 'der', type: 'spki' });
  if (!verify(hash, info!.raw, publicKey, signature.content.subarray(1))) {
    throw new LongshoreError('invalid', "the request's signature does not match its key");
  }
  return { subject: decodeName(name), publicKey, alternativeNames: attributes === undefined ? [] : requestedNames(attributes.content) };
}

function requestedNames(attributes: Buffer): readonly string[] {
  for (const attribute of readAll(attributes)) {
    const [type, values] = children(attribute, TAG.sequence);
    if (readOid(type) !== EXTENSION_REQUEST) continue;
    for (const extension of children(children(values, TAG.set)[0], TAG.sequence)) {
      const parts = children(extension, TAG.sequence);
      if (readOid(parts[0]) !== ALTERNATIVE_NAMES) continue;
      const names = decodeAlternativeNames(readOne(parts.at(-1)!.raw, TAG.octetString).content);
      if (names === undefined) {
        throw new LongshoreError('invalid', 'the request asks for alternative names that are neither DNS names nor addresses');
      }
      return names;
    }
  }
  return [];
}
