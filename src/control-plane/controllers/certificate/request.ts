import { LongshoreError } from '../../../lib/errors.ts';

/** Who a PKCS#10 request (RFC 2986) is for. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** It asks for names beside the subject: DNS, IP, mail or URI. */
  readonly hasAlternativeNames: boolean;
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
const COMMON_NAME = '550403'; // 2.5.4.3
const ORGANIZATION = '55040a'; // 2.5.4.10
const SUBJECT_ALTERNATIVE_NAME = Buffer.from('0603551d11', 'hex'); // 2.5.29.17, with its tag and length

/**
 * Reads subject and names of a request.
 * @param pem as in CertificateSigningRequest.spec.request, base64 taken off
 * @throws LongshoreError `invalid`
 */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const match = /-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----/.exec(pem);
  if (match === null) throw invalid('PEM block type must be CERTIFICATE REQUEST');
  const [request] = elements(Buffer.from(match[1]!, 'base64'));
  const [info] = elements(expect(request, SEQUENCE));
  const [version, subject, , attributes] = elements(expect(info, SEQUENCE));
  expect(version, INTEGER);
  let commonName = '';
  const organizations: string[] = [];
  for (const relative of elements(expect(subject, SEQUENCE))) {
    for (const attribute of elements(expect(relative, SET))) {
      const [type, value] = elements(expect(attribute, SEQUENCE));
      const id = expect(type, OBJECT_IDENTIFIER).toString('hex');
      if (id === COMMON_NAME) commonName = value?.content.toString('utf8') ?? '';
      else if (id === ORGANIZATION) organizations.push(value?.content.toString('utf8') ?? '');
    }
  }
  return { commonName, organizations, hasAlternativeNames: attributes?.content.includes(SUBJECT_ALTERNATIVE_NAME) ?? false };
}

function invalid(why: string): LongshoreError {
  return new LongshoreError('invalid', `the certificate request cannot be read: ${why}`);
}

function expect(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw invalid(`tag ${tag} was expected, not ${element?.tag ?? 'the end'}`);
  return element.content;
}

/** Splits DER (X.690) into its elements. */
function elements(der: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length;) {
    const tag = der[at]!;
    let length = der[at + 1];
    at += 2;
    if (length === undefined) throw invalid('it ends early');
    if (length > 0x80) {
      const bytes = length & 0x7f;
      if (bytes > 4 || at + bytes > der.length) throw invalid('a length is malformed');
      length = der.readUIntBE(at, bytes);
      at += bytes;
    } else if (length === 0x80) throw invalid('a length is indefinite');
    if (at + length > der.length) throw invalid('it ends early');
    found.push({ tag, content: der.subarray(at, at + length) });
    at += length;
  }
  return found;
}
