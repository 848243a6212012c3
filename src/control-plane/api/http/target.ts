import { badRequest } from '../errors.ts';

/** A request target, split but not normalised: what a proxy before us would read as something else is refused. */
export interface Target {
  /** As it came, without the query. */
  readonly rawPath: string;
  /** Decoded segments; the leading slash makes none, a trailing one makes an empty last segment. */
  readonly segments: readonly string[];
  readonly query: Query;
  readonly rawQuery: string;
}

/** Query parameters. A name may come more than once. */
export class Query {
  readonly #values: ReadonlyMap<string, readonly string[]> | undefined;

  private constructor(values: ReadonlyMap<string, readonly string[]> | undefined) {
    this.#values = values;
  }

  static readonly none = new Query(undefined);

  /** application/x-www-form-urlencoded. */
  static parse(text: string): Query {
    if (text === '') return Query.none;
    const values = new Map<string, string[]>();
    for (const pair of text.split('&')) {
      if (pair === '') continue;
      const at = pair.indexOf('=');
      const name = decode(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? '' : decode(pair.slice(at + 1));
      if (name === undefined || value === undefined) continue; // A pair with a broken escape counts as not there, as Go reads queries.
      const list = values.get(name);
      if (list === undefined) values.set(name, [value]);
      else list.push(value);
    }
    return new Query(values);
  }

  get empty(): boolean {
    return this.#values === undefined || this.#values.size === 0;
  }

  /** The first value; undefined when it is not there. */
  get(name: string): string | undefined {
    return this.#values?.get(name)?.[0];
  }

  all(name: string): readonly string[] {
    return this.#values?.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#values?.has(name) ?? false;
  }
}

function decode(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined; // The caller passes the pair over.
  }
}

/** Splits a request target. @throws StatusError 400 when it is not in origin form or holds broken escapes */
export function parseTarget(target: string): Target {
  if (!target.startsWith('/')) throw badRequest('the request target must begin with a slash');
  const mark = target.indexOf('?');
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const rawQuery = mark < 0 ? '' : target.slice(mark + 1);
  const segments = rawPath.slice(1).split('/');
  if (rawPath.includes('%')) {
    for (let at = 0; at < segments.length; at++) {
      try {
        segments[at] = decodeURIComponent(segments[at]!);
      } catch {
        throw badRequest(`invalid URL escape in the path segment ${JSON.stringify(segments[at])}`);
      }
    }
  }
  return { rawPath, rawQuery, segments, query: rawQuery === '' ? Query.none : Query.parse(rawQuery) };
}

/** A decoded segment that could mean another path once it is joined again, or end a line. */
export function isSafeSegment(segment: string): boolean {
  if (segment === '' || segment === '.' || segment === '..') return false;
  for (let at = 0; at < segment.length; at++) {
    const code = segment.charCodeAt(at);
    if (code < 0x20 || code === 0x25 || code === 0x2f || code === 0x5c) return false; // Control characters, percent, slash, backslash.
  }
  return true;
}
