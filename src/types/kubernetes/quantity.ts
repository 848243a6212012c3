import { LongshoreError } from '../../lib/errors.ts';

/**
 * # Quantities
 *
 * A number with a suffix: binary (`Ki` … `Ei`), decimal (`n` `u` `m` `k` … `E`) or an exponent (`e3`). As the API does: at most
 * nine decimals, finer ones are rounded away from zero; the suffix that was used decides how a result is written.
 */
export interface ParsedQuantity {
  /** The value in units of 10^-9. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
  /** The text as it came, where the API keeps it. */
  readonly text?: string;
}

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const WRONG_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const WRONG_NUMBER = 'unable to parse numeric part of quantity';
const WRONG_SUFFIX = "unable to parse quantity's suffix";

const BINARY: ReadonlyMap<string, number> = new Map([['Ki', 10], ['Mi', 20], ['Gi', 30], ['Ti', 40], ['Pi', 50], ['Ei', 60]]);
const DECIMAL: ReadonlyMap<string, number> = new Map([['n', -9], ['u', -6], ['m', -3], ['', 0], ['k', 3], ['M', 6], ['G', 9], ['T', 12], ['P', 15], ['E', 18]]);
const DECIMAL_SUFFIX: ReadonlyMap<number, string> = new Map([...DECIMAL].map(([suffix, exponent]) => [exponent, suffix]));
const BINARY_SUFFIX = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const ONE = 1_000_000_000n;
const MAX_INT64 = (1n << 63n) - 1n;
/** No amount in the world needs more; it keeps `1e999999999` from eating memory. */
const MAX_EXPONENT = 200;
const MAX_LENGTH = 256;

/** Quantities repeat (`100m`, `128Mi`), so what was parsed is kept: at most so many. */
const CACHE_LIMIT = 2048;
const cache = new Map<string, ParsedQuantity>();
const canonicalCache = new Map<string, string>();

/** @throws LongshoreError `invalid`, worded as the API server does */
export function parseQuantity(input: string | number): ParsedQuantity {
  const text = typeof input === 'number' ? String(input) : input;
  const known = cache.get(text);
  if (known !== undefined) return known;
  const parsed = parse(text.trim());
  if (cache.size >= CACHE_LIMIT) cache.clear();
  cache.set(text, parsed);
  return parsed;
}

/** The form in which the API server returns it: `0.5` as `500m`, `1024Ki` as `1Mi`. @throws LongshoreError `invalid` */
export function canonicalQuantity(input: string | number): string {
  const text = typeof input === 'number' ? String(input) : input;
  const known = canonicalCache.get(text);
  if (known !== undefined) return known;
  const canonical = formatQuantity(parseQuantity(text));
  if (canonicalCache.size >= CACHE_LIMIT) canonicalCache.clear();
  canonicalCache.set(text, canonical);
  return canonical;
}

/** In whole units (bytes, cores), a fraction rounded away from zero. */
export function quantityToNumber(input: string | number): number {
  return Number(divideUp(parseQuantity(input).nano, ONE));
}

/** In thousandths (millicores), finer parts rounded away from zero. */
export function quantityToMilli(input: string | number): number {
  return Number(divideUp(parseQuantity(input).nano, 1_000_000n));
}

/** Less than, equal to, or greater than zero, as `a` is to `b`. */
export function compareQuantities(a: string | number, b: string | number): number {
  const [left, right] = [parseQuantity(a).nano, parseQuantity(b).nano];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** `a + b`, written in a's way (b's when a is zero). */
export function addQuantities(a: string | number, b: string | number): string {
  return combine(parseQuantity(a), parseQuantity(b), 1n);
}

/** `a - b`, written in a's way (b's when a is zero). */
export function subQuantities(a: string | number, b: string | number): string {
  return combine(parseQuantity(a), parseQuantity(b), -1n);
}

/** As the API server writes it. */
export function formatQuantity(quantity: ParsedQuantity): string {
  if (quantity.text !== undefined) return quantity.text;
  const { nano } = quantity;
  if (nano === 0n) return '0';
  const kilo = 1024n * ONE;
  if (quantity.format === 'BinarySI' && (nano <= -kilo || nano >= kilo) && nano % ONE === 0n) {
    let amount = nano / ONE;
    let power = 0;
    while (power < 6 && amount % 1024n === 0n) {
      amount /= 1024n;
      power++;
    }
    return `${amount}${BINARY_SUFFIX[power]}`;
  }
  let amount = nano;
  let exponent = -9;
  // The largest multiple of three that leaves no fraction. DecimalSI has no suffix beyond E.
  while (amount % 1000n === 0n && (quantity.format === 'DecimalExponent' || exponent < 18)) {
    amount /= 1000n;
    exponent += 3;
  }
  if (quantity.format === 'DecimalExponent') return exponent === 0 ? `${amount}` : `${amount}e${exponent}`;
  return `${amount}${DECIMAL_SUFFIX.get(exponent)}`;
}

function combine(a: ParsedQuantity, b: ParsedQuantity, sign: bigint): string {
  return formatQuantity({ nano: a.nano + sign * b.nano, format: a.nano === 0n ? b.format : a.format });
}

function divideUp(value: bigint, by: bigint): bigint {
  const whole = value / by;
  if (whole * by === value) return whole;
  return value < 0n ? whole - 1n : whole + 1n;
}

function fail(why: string): never {
  throw new LongshoreError('invalid', why);
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

function parse(text: string): ParsedQuantity {
  if (text.length === 0 || text.length > MAX_LENGTH) fail(WRONG_FORMAT);
  let at = text[0] === '-' || text[0] === '+' ? 1 : 0;
  const negative = text[0] === '-';
  while (at < text.length && text[at] === '0') at++;
  const numStart = at;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  let num = text.slice(numStart, at);
  let denom = '';
  // A sign, or digits, must come first; `.5` is taken, as the API takes it.
  if (num === '') num = '0';
  if (text[at] === '.') {
    const start = ++at;
    while (at < text.length && isDigit(text.charCodeAt(at))) at++;
    denom = text.slice(start, at);
  }
  const suffix = text.slice(at);
  if (!/^[eEinumkKMGTP]*[-+]?[0-9]*$/.test(suffix)) fail(WRONG_FORMAT);
  const { format, exponent } = readSuffix(suffix);
  if (!/\d/.test(text.slice(0, at))) fail(WRONG_NUMBER);
  return build(text, negative, num, denom, format, exponent);
}

function readSuffix(suffix: string): { format: QuantityFormat; exponent: number } {
  const decimal = DECIMAL.get(suffix);
  if (decimal !== undefined) return { format: 'DecimalSI', exponent: decimal };
  const binary = BINARY.get(suffix);
  if (binary !== undefined) return { format: 'BinarySI', exponent: binary };
  if (!/^[eE][-+]?\d+$/.test(suffix)) fail(WRONG_SUFFIX);
  const exponent = Number(suffix.slice(1));
  if (exponent > MAX_EXPONENT) fail(WRONG_NUMBER);
  return { format: 'DecimalExponent', exponent };
}

function build(text: string, negative: boolean, num: string, denom: string, format: QuantityFormat, exponent: number): ParsedQuantity {
  const digits = num + denom;
  const unscaled = BigInt(digits);
  const binary = format === 'BinarySI';
  let nano: bigint;
  if (binary) {
    const scaled = (unscaled << BigInt(exponent)) * ONE;
    nano = divideUp(scaled, 10n ** BigInt(denom.length));
    if (nano > MAX_INT64 * ONE) nano = MAX_INT64 * ONE;
  } else {
    const power = exponent - denom.length + 9;
    nano =
      power >= 0
        ? unscaled * 10n ** BigInt(power)
        : power < -MAX_EXPONENT - MAX_LENGTH
          ? unscaled === 0n
            ? 0n
            : 1n
          : divideUp(unscaled, 10n ** BigInt(-power));
  }
  if (text === '0') return { nano: 0n, format: 'DecimalSI', text };
  const value: ParsedQuantity = { nano: negative ? -nano : nano, format: binary && nano < ONE && nano > 0n ? 'DecimalSI' : format };
  return keepsText(digits, denom, format, exponent) ? { ...value, text } : value;
}

/** The API server keeps the text of an amount that fits its short form and cannot be shortened. */
function keepsText(digits: string, denom: string, format: QuantityFormat, exponent: number): boolean {
  if (format === 'BinarySI') {
    const precision = 15 - digits.length - Math.trunc((exponent * 3) / 10) - 1;
    return denom.length === 0 && precision >= 0 && (Number(digits) & 7) !== 0;
  }
  const scale = exponent - denom.length;
  return digits.length <= 18 && scale >= -9 && scale % 3 === 0 && !digits.endsWith('000') && digits[0] !== '0';
}
