import { LongshoreError, messageOf } from '../lib/errors.ts';
import { systemClock } from '../lib/clock.ts';
import { StatusError } from '../types/kubernetes/status.ts';

const AGAIN = 'On the server: longshore token. On this machine, the line that it prints';
/** OpenSSL's names, as Node gives them. */
const NOT_TRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);
const CLOCK = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/**
 * What a node's failure to reach, trust, or be let in by the API server means, with what to do about it. What it can't tell more of stays as it is.
 * @param how whether the node came with a token, or with credentials that it got before
 */
export function explainJoin(error: unknown, server: string, how: 'token' | 'credentials'): unknown {
  const object = server;
  const code = tlsCode(error);
  if (code !== undefined && CLOCK.has(code)) {
    return new LongshoreError(
      'unavailable',
      `the certificate of ${server} ${code === 'CERT_HAS_EXPIRED' ? 'is over' : 'is not valid yet'} by this machine's clock, which says ${new Date(systemClock.now()).toISOString()}`,
      { object, remedy: 'Set the clocks of both machines (timedatectl set-ntp true), then start the node again.', cause: error },
    );
  }
  if (code !== undefined && NOT_TRUSTED.has(code)) {
    return new LongshoreError(
      'forbidden',
      `${server} is not the server that this node joined: its certificate comes from another authority`,
      { object, remedy: `If it was set up anew, leave the old cluster here (longshore uninstall --yes). ${AGAIN}.`, cause: error },
    );
  }
  // Node's message for a name or an address that the certificate lacks.
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new LongshoreError('forbidden', `the certificate of ${server} is not for this address`, {
      object,
      remedy: 'Use the address that "longshore token" prints on the server.',
      cause: error,
    });
  }
  if (error instanceof StatusError && error.status.code === 401) {
    return how === 'token'
      ? new LongshoreError('unauthorized', `${server} does not know the token: it is mistyped, or older than 24 hours`, {
          object,
          remedy: `Make a new one. ${AGAIN}.`,
          cause: error,
        })
      : new LongshoreError('unauthorized', `${server} does not accept this node's certificate`, {
          object,
          remedy: `Leave the cluster here (longshore uninstall --yes) and join again. ${AGAIN}.`,
          cause: error,
        });
  }
  if (
    !(error instanceof StatusError) &&
    error instanceof LongshoreError &&
    (error.code === 'unavailable' || error.code === 'timeout') &&
    error.remedy === undefined
  ) {
    return new LongshoreError('unavailable', `${server} can't be reached from this machine: ${reason(error)}`, {
      object,
      remedy: 'See that the server runs, that it was started with "longshore up --listen ADDRESS", and that no firewall closes its port.',
      cause: error,
    });
  }
  return error;
}

/** The code of the system's or the TLS library's error beneath, if there is one. */
function tlsCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string' && (CLOCK.has(code) || NOT_TRUSTED.has(code) || code.startsWith('ERR_TLS'))) return code;
  }
  return undefined;
}

/** The innermost message: those around it name the call, which says nothing to whoever joins. */
function reason(error: Error): string {
  let at: Error = error;
  while (at.cause instanceof Error) at = at.cause;
  return messageOf(at);
}
