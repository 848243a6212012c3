import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCode, LongshoreError } from '../lib/errors.ts';
import { StatusError } from '../types/kubernetes/status.ts';
import { explainJoin } from './join-errors.ts';

const SERVER = 'https://192.0.2.1:6443';

/** As a call of the API fails that finds a certificate of that fault. */
function failed(code: string): LongshoreError {
  return new LongshoreError('unavailable', 'GET /x: the API server cannot be reached', { cause: Object.assign(new Error(code.toLowerCase()), { code }) });
}

function told(error: unknown, how: 'token' | 'credentials' = 'credentials'): string {
  const found = explainJoin(error, SERVER, how) as LongshoreError;
  assert.ok(found instanceof LongshoreError);
  return `${found.code}: ${found.message}. ${found.remedy}`;
}

test('clocks, authorities, addresses and tokens are told apart, each with what to do', () => {
  assert.match(told(failed('CERT_NOT_YET_VALID')), /^unavailable: .* is not valid yet by this machine's clock, which says 20.*Set the clocks of both machines/);
  assert.match(told(failed('CERT_HAS_EXPIRED')), /is over by this machine's clock/);
  assert.match(told(failed('UNABLE_TO_VERIFY_LEAF_SIGNATURE')), /^forbidden: .*comes from another authority.*uninstall --yes/);
  assert.match(told(failed('ERR_TLS_CERT_ALTNAME_INVALID')), /^forbidden: .*is not for this address/);
  assert.match(told(failed('EHOSTUNREACH')), /^unavailable: .*can't be reached from this machine: ehostunreach. See that the server runs/);
  const unknown = new StatusError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    code: 401,
    reason: 'Unauthorized',
    message: 'Unauthorized',
  });
  assert.match(told(unknown, 'token'), /^unauthorized: .*does not know the token/);
  assert.match(told(unknown), /does not accept this node's certificate/);
});

test('what it knows nothing of stays as it is', () => {
  const denied = new LongshoreError('forbidden', 'the request was denied');
  assert.equal(explainJoin(denied, SERVER, 'token'), denied);
  assert.ok(isCode(explainJoin(denied, SERVER, 'token'), 'forbidden'));
});
