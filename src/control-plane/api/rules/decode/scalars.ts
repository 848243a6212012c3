import { canonicalQuantity } from '../../../../types/kubernetes/quantity.ts';
import type { ScalarKind } from '../../../../types/kubernetes/schema.ts';
import { canonicalDuration, canonicalMicroTime, canonicalTime } from './time.ts';

/** Thrown (one shared object, so that it costs nothing) when a value does not fit; diagnose.ts then finds out where, and words it. */
export const MISFIT = new Error('a value does not fit the schema');

/** Takes a value that is not null; returns its canonical form. @throws MISFIT */
export type ScalarDecoder = (value: unknown) => unknown;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

function decodeString(value: unknown): unknown {
  if (typeof value !== 'string') throw MISFIT;
  return value;
}

function decodeBool(value: unknown): unknown {
  if (typeof value !== 'boolean') throw MISFIT;
  return value;
}

function decodeInt32(value: unknown): unknown {
  if (typeof value !== 'number' || (value | 0) !== value) throw MISFIT;
  return value;
}

/** Beyond 2^53 the JSON parser hands over a bigint, which is kept. */
function decodeInt64(value: unknown): unknown {
  if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'bigint' || value < MIN_INT64 || value > MAX_INT64) {
    throw MISFIT;
  }
  return value;
}

function decodeFloat(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'number') throw MISFIT;
  return value;
}

function decodeBytes(value: unknown): unknown {
  if (typeof value !== 'string') throw MISFIT;
  const text = value.includes('\n') || value.includes('\r') ? value.replaceAll(/[\r\n]/g, '') : value;
  if (badBase64At(text) >= 0) throw MISFIT;
  return text;
}

/** Where standard base64 with padding goes wrong, as an index of its bytes; -1 when it is right. */
export function badBase64At(text: string): number {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const end = text.length - padding;
  for (let at = 0; at < end; at++) {
    const c = text.charCodeAt(at);
    const ok = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 43 || c === 47;
    if (!ok) return at;
  }
  return text.length % 4 === 0 ? -1 : text.length - (text.length % 4);
}

function decodeQuantity(value: unknown): unknown {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') throw MISFIT;
  try {
    return canonicalQuantity(typeof value === 'bigint' ? String(value) : value);
  } catch {
    // Why it is none is worded again where the path is known.
    throw MISFIT;
  }
}

function decodeIntOrString(value: unknown): unknown {
  return typeof value === 'string' ? value : decodeInt32(value);
}

function decodeTime(value: unknown): unknown {
  const time = typeof value === 'string' ? canonicalTime(value) : undefined;
  if (time === undefined) throw MISFIT;
  return time;
}

function decodeMicroTime(value: unknown): unknown {
  const time = typeof value === 'string' ? canonicalMicroTime(value) : undefined;
  if (time === undefined) throw MISFIT;
  return time;
}

function decodeDuration(value: unknown): unknown {
  const duration = typeof value === 'string' ? canonicalDuration(value) : undefined;
  if (duration === undefined) throw MISFIT;
  return duration;
}

function decodeObject(value: unknown): unknown {
  if (typeof value !== 'object' || Array.isArray(value)) throw MISFIT;
  return value;
}

const asIs: ScalarDecoder = (value) => value;

/** JSONSchemaPropsOr… need the schema of JSONSchemaProps, and are made in decoder.ts. */
export const SCALAR_DECODERS: Readonly<Record<Exclude<ScalarKind, `JSONSchemaPropsOr${string}`>, ScalarDecoder>> = {
  string: decodeString,
  bool: decodeBool,
  int32: decodeInt32,
  int64: decodeInt64,
  float64: decodeFloat,
  bytes: decodeBytes,
  Quantity: decodeQuantity,
  IntOrString: decodeIntOrString,
  Time: decodeTime,
  MicroTime: decodeMicroTime,
  Duration: decodeDuration,
  RawExtension: asIs,
  FieldsV1: decodeObject,
  JSON: asIs,
};
