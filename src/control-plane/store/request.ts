import { LongshoreError } from '../../lib/errors.ts';
import type { Op, RangeOptions, TxnRequest } from './store.ts';
import { goneError } from './watch-hub.ts';

/** The longest key, in UTF-16 code units. */
const MAX_KEY_LENGTH = 4_096;
/** The most that the values of one transaction's branch may hold. */
const MAX_TXN_BYTES = 64 * 2 ** 20;

/**
 * Checks what no state is needed for.
 * @returns the bytes of the larger branch, keys included
 * @throws LongshoreError `invalid`, `too-large`
 */
export function checkTxn(request: TxnRequest): number {
  for (const { key } of request.compare) checkKey(key);
  const bytes = Math.max(checkBranch(request.success), request.failure === undefined ? 0 : checkBranch(request.failure));
  if (bytes > MAX_TXN_BYTES) {
    throw new LongshoreError('too-large', `a transaction of ${bytes} bytes is larger than the store takes at once (${MAX_TXN_BYTES} bytes)`, {
      object: request.success[0]?.key,
      remedy: 'Split it into several transactions.',
    });
  }
  return bytes;
}

/**
 * The revision at which to read.
 * @throws LongshoreError `gone`, `invalid`
 */
export function readRevision(asked: number | undefined, newest: number, compacted: number): number {
  if (asked === undefined) return newest;
  if (!Number.isSafeInteger(asked) || asked < 0) throw new LongshoreError('invalid', `revision ${asked} is not a whole number from 0 on`);
  if (asked > newest) throw new LongshoreError('invalid', `revision ${asked} is in the future: the newest one is ${newest}`);
  if (asked < compacted) throw goneError(asked, compacted);
  return asked;
}

/**
 * The most entries to return.
 * @throws LongshoreError `invalid`
 */
export function readLimit(options: RangeOptions): number {
  const { limit } = options;
  if (limit === undefined) return Infinity;
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new LongshoreError('invalid', `a range's limit must be a whole number from 0 on, and not ${limit}`);
  }
  return limit;
}

function checkBranch(ops: readonly Op[]): number {
  let bytes = 0;
  for (const op of ops) {
    checkKey(op.key);
    bytes += op.key.length;
    if (op.type === 'put') bytes += op.value.length;
  }
  if (ops.length > 1) {
    const keys = new Set<string>();
    for (const { key } of ops) {
      if (keys.has(key)) throw new LongshoreError('invalid', `a transaction names the key ${key} twice in one branch`, { object: key });
      keys.add(key);
    }
  }
  return bytes;
}

function checkKey(key: string): void {
  if (key.length === 0) throw new LongshoreError('invalid', 'a key must not be empty');
  if (key.length > MAX_KEY_LENGTH) {
    throw new LongshoreError('invalid', `a key of ${key.length} characters is too long: at most ${MAX_KEY_LENGTH} are allowed`, { object: key.slice(0, 80) });
  }
  // A lone surrogate has no UTF-8 form, and would come back as another key.
  if (!key.isWellFormed()) {
    throw new LongshoreError('invalid', `the key ${JSON.stringify(key)} is not well-formed Unicode`, { object: key });
  }
}
