import type { FieldError } from '../../contract.ts';

/** The path of a field. Made of links, and written out only when an error needs it. */
export class Path {
  readonly #parent: Path | undefined;
  readonly #segment: string | number;
  readonly #key: boolean;

  constructor(segment: string | number, parent?: Path, key = false) {
    this.#segment = segment;
    this.#parent = parent;
    this.#key = key;
  }

  child(name: string): Path {
    return new Path(name, this);
  }

  index(n: number): Path {
    return new Path(n, this);
  }

  /** Of a map: `limits[cpu]`. */
  key(name: string): Path {
    return new Path(name, this, true);
  }

  toString(): string {
    const own = typeof this.#segment === 'number' || this.#key || this.#segment === '' ? `[${this.#segment}]` : this.#segment;
    if (this.#parent === undefined) return own;
    return own.startsWith('[') && (typeof this.#segment === 'number' || this.#key) ? `${String(this.#parent)}${own}` : `${String(this.#parent)}.${own}`;
  }
}

/** So many errors of one object are told, and so much is shown of a value or a path: an answer must not outgrow what it answers to. */
const MAX_ERRORS = 1000;
const MAX_SHOWN = 16_384;

const NO_VALUE = Symbol('no value');
export const OMIT_VALUE: unknown = NO_VALUE;

/** Collects what is wrong with an object, worded as the API server words it. */
export class Errors {
  readonly list: FieldError[] = [];

  required(path: Path, detail = ''): void {
    this.#add('FieldValueRequired', path, `Required value${tail(detail)}`);
  }

  /** @param value what was found there; a text is quoted, an object shown as JSON */
  invalid(path: Path, value: unknown, detail: string): void {
    this.#add('FieldValueInvalid', path, `Invalid value${shown(value)}${tail(detail)}`);
  }

  /** Invalid, once for each of `details`. */
  invalidEach(path: Path, value: unknown, details: readonly string[]): void {
    for (const detail of details) this.invalid(path, value, detail);
  }

  notSupported(path: Path, value: unknown, supported: readonly string[]): void {
    const detail = supported.length === 0 ? '' : `supported values: ${supported.map((s) => quote(s)).join(', ')}`;
    this.#add('FieldValueNotSupported', path, `Unsupported value${shown(value)}${tail(detail)}`);
  }

  forbidden(path: Path, detail: string): void {
    this.#add('FieldValueForbidden', path, `Forbidden${tail(detail)}`);
  }

  duplicate(path: Path, value: unknown): void {
    this.#add('FieldValueDuplicate', path, `Duplicate value${shown(value)}`);
  }

  notFound(path: Path, value: unknown): void {
    this.#add('FieldValueNotFound', path, `Not found${shown(value)}`);
  }

  /** @param unit of `max` */
  tooLong(path: Path, max: number, unit: 'byte' | 'character' = 'byte'): void {
    this.#add('FieldValueTooLong', path, `Too long: may not be more than ${max} ${unit}${max === 1 ? '' : 's'}`);
  }

  tooMany(path: Path, actual: number, max: number): void {
    this.#add('FieldValueTooMany', path, `Too many: ${actual}: must have at most ${max} item${max === 1 ? '' : 's'}`);
  }

  internal(path: Path, detail: string): void {
    this.#add('InternalError', path, `Internal error: ${detail}`);
  }

  /** The value must be one of `allowed`; empty is told apart as missing. */
  oneOf(path: Path, value: string | undefined, allowed: readonly string[]): void {
    if (value === undefined || value === '') this.required(path);
    else if (!allowed.includes(value)) this.notSupported(path, value, allowed);
  }

  #add(type: FieldError['type'], path: Path, message: string): void {
    if (this.list.length < MAX_ERRORS) this.list.push({ type, field: String(path).slice(0, MAX_SHOWN), message });
  }
}

function tail(detail: string): string {
  return detail === '' ? '' : `: ${detail}`;
}

function shown(value: unknown): string {
  if (value === NO_VALUE) return '';
  if (typeof value === 'string') return `: ${quote(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}...` : value)}`;
  if (value === undefined || value === null) return ': null';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return `: ${value}`;
  const json = JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? Number(item) : item));
  return `: ${escapeHtml(json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}...` : json)}`;
}

/** What upstream shows of a struct that it prints whole: every field, by the names of the API's internal types. */
export type Shape = Readonly<Record<string, unknown>>;

/**
 * An object as upstream shows its internal form in an error.
 * @param shape internal field names in order; a field of structs has their shape there, others null
 */
export function internalForm(value: object | undefined, shape: Shape): unknown {
  if (value === undefined) return null;
  const members = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(shape).map(([name, inner]) => {
      // `SELinuxOptions` is `seLinuxOptions` outside: what is upper case at the front is lower, but for the letter that starts the next word.
      const member = members[name.replace(/^[A-Z]+(?=[A-Z][a-z])|^[A-Z]/, (front) => front.toLowerCase())];
      if (inner === null) return [name, member ?? null];
      return [
        name,
        Array.isArray(member)
          ? member.map((item: object) => internalForm(item, inner as Shape))
          : internalForm(member as object | undefined, inner as Shape),
      ];
    }),
  );
}

/** Go shows maps by their keys' order. */
export function byKey<T>(map: Readonly<Record<string, T>> | undefined): Readonly<Record<string, T>> | undefined {
  return map && Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Go's json.Marshal writes these three as escapes. */
function escapeHtml(json: string): string {
  return json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026');
}

/** As Go's %q: JSON's quotes, but control characters in their short or \x form. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll(/\\u00([0-9a-f]{2})/g, '\\x$1');
}
