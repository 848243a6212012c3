import { messageOf } from '../../../../lib/errors.ts';
import type { CertificateSigningRequest } from '../../../../types/kubernetes/generated/certificates-v1.ts';
import { readSigningRequest } from '../../pki/signing-request.ts';
import { each } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { pathSegment } from './formats.ts';
import { KEY_USAGES } from './key-usages.ts';
import { rulesOf } from './kind.ts';
import { validateSignerName } from './signer-name.ts';

const SPEC = new Path('spec');
const LEGACY = 'kubernetes.io/legacy-unknown';
const SHORTEST_S = 600;

function create({ spec }: CertificateSigningRequest, errors: Errors): void {
  const wrong = faultOf(spec.request);
  if (wrong !== undefined) errors.invalid(SPEC.child('request'), spec.request, wrong);
  const usages = each(spec.usages);
  if (usages.length === 0) errors.required(SPEC.child('usages'));
  usages.forEach((usage, n) => {
    if (!KEY_USAGES.includes(usage)) errors.notSupported(SPEC.child('usages').index(n), usage, KEY_USAGES);
  });
  usages.forEach((usage, n) => {
    if (usages.indexOf(usage) < n) errors.duplicate(SPEC.child('usages').index(n), usage);
  });
  if (spec.signerName === LEGACY) {
    errors.invalid(SPEC.child('signerName'), spec.signerName, 'the legacy signerName is not allowed via this API version');
  } else {
    validateSignerName(spec.signerName ?? '', errors, SPEC.child('signerName'));
  }
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < SHORTEST_S) {
    errors.invalid(
      SPEC.child('expirationSeconds'),
      spec.expirationSeconds,
      'may not specify a duration less than 600 seconds (10 minutes)',
    );
  }
}

/** @param request base64 of PEM */
function faultOf(request: string | undefined): string | undefined {
  const pem = Buffer.from(request ?? '', 'base64').toString('latin1');
  if (!/-----BEGIN CERTIFICATE REQUEST-----/.test(pem)) return 'PEM block type must be CERTIFICATE REQUEST';
  try {
    readSigningRequest(pem);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** What is asked for never changes, so that it is looked at once. */
export const CERTIFICATE_SIGNING_REQUEST = rulesOf<CertificateSigningRequest>({ name: pathSegment, create });
