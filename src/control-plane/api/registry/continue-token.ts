import { badRequest } from '../errors.ts';

/** Where the next page starts. Revision -1: at the newest state, whatever happened since. */
export interface ContinueToken {
  readonly revision: number;
  /** A relative key; the page starts at the first key that is not below it. */
  readonly start: string;
}

/** In the API server's own form, so that a token outlives a change of servers. */
export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.revision, start: token.start })).toString('base64url');
}

/** @throws StatusError 400 */
export function decodeContinue(text: string): ContinueToken {
  const fail = (why: string): Error => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  if (!/^[A-Za-z0-9_-]{1,4096}={0,2}$/.test(text)) throw fail('illegal base64 data at input byte 0');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (error) {
    throw fail((error as Error).message);
  }
  const { v, rv, start } = (value ?? {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== 'meta.k8s.io/v1') throw fail(`server does not recognize this encoded version ${String(v)}`);
  if (!Number.isSafeInteger(rv) || rv === 0) throw fail('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') throw fail('encoded start key empty (version meta.k8s.io/v1)');
  if (/(^|\/)\.{0,2}(\/|$)/.test(start.replace(/^\//, ''))) throw fail(start);
  return { revision: rv as number, start: start.replace(/^\//, '') };
}
