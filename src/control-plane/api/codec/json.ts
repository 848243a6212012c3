import { badRequest } from '../errors.ts';
import { duplicateFields } from './duplicates.ts';

/** How deep a body may nest. Deeper than any real object, and far from where recursion would overflow. */
export const MAX_DEPTH = 500;

export interface ParsedJson {
  readonly value: unknown;
  /** Paths of keys that an object held twice, as in `metadata.labels.app`; the last one won. */
  readonly duplicates: readonly string[];
}

const NONE: readonly string[] = [];
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

interface Scan {
  colons: number;
  /** A number that a double may not hold: 16 digits and more, or a large exponent. */
  exact: boolean;
}

/** One pass over the bytes outside of strings. @throws StatusError 400 when they nest too deeply */
function scan(bytes: Uint8Array): Scan {
  let depth = 0;
  let colons = 0;
  let digits = 0;
  let exact = false;
  const end = bytes.length;
  for (let i = 0; i < end; i++) {
    const c = bytes[i]!;
    if (c === QUOTE) {
      digits = 0;
      for (i++; i < end; i++) {
        const s = bytes[i]!;
        if (s === QUOTE) break;
        if (s === BACKSLASH) i++;
      }
    } else if (c >= 0x30 && c <= 0x39) {
      if (++digits === 16) exact = true;
    } else {
      if (c === 0x7b || c === 0x5b) {
        if (++depth > MAX_DEPTH) throw badRequest(`the body nests more than ${MAX_DEPTH} levels deep`);
      } else if (c === 0x7d || c === 0x5d) depth--;
      else if (c === COLON) colons++;
      else if ((c === 0x45 || c === 0x65) && digits > 0) exact = true;
      digits = 0;
    }
  }
  return { colons, exact };
}

/** How many keys the value holds in all its objects. */
function countKeys(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countKeys(item);
    return count;
  }
  const keys = Object.keys(value);
  count = keys.length;
  for (const key of keys) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item === 'object') count += countKeys(item);
  }
  return count;
}

/** Enough of a number to find it by. */
function shortened(digits: string): string {
  return digits.length > 64 ? `${digits.slice(0, 64)}...` : digits;
}

function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number') return value;
  if (!Number.isFinite(value)) {
    throw badRequest(`json: cannot unmarshal number ${shortened(context?.source ?? '')} into Go value of type float64`);
  }
  // Nothing longer than 20 characters fits into 64 bits, and long ones are slow to read.
  if (Number.isSafeInteger(value) || context?.source === undefined || context.source.length > 20 || !/^-?\d+$/.test(context.source)) {
    return value;
  }
  const exact = BigInt(context.source);
  // Beyond 64 bits it is a float to the API server as well.
  return exact >= -(2n ** 63n) && exact < 2n ** 63n ? exact : value;
}

/**
 * Parses a JSON body (RFC 8259). Integers between 2^53 and 2^63 become
 * bigint, so that int64 stays exact. Keys that occur twice cost extra only
 * where there are any: their number is compared with that of the colons.
 * @throws StatusError 400
 */
export function parseJson(bytes: Buffer): ParsedJson {
  const { colons, exact } = scan(bytes);
  let value: unknown;
  try {
    const text = bytes.toString();
    value = exact ? JSON.parse(text, exactly) : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw badRequest(`the body is not valid JSON: ${error.message}`);
    throw error;
  }
  return { value, duplicates: countKeys(value) === colons ? NONE : duplicateFields(bytes) };
}

/** Parses what `encodeJson` wrote. */
export function parseTrustedJson(bytes: Buffer): unknown {
  const text = bytes.toString();
  return /[:,[]-?\d{16}/.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
}

function raw(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value)) : value;
}

/** Encodes to JSON; a bigint becomes an integer. */
export function encodeJsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, raw); // A TypeError is how JSON.stringify meets a bigint.
  }
}

/** Encodes to JSON in a buffer of its own: what is kept for long must not pin a pool. */
export function encodeJson(value: unknown): Buffer {
  const text = encodeJsonText(value);
  const length = Buffer.byteLength(text);
  const out = Buffer.allocUnsafeSlow(length);
  out.write(text);
  return out;
}
