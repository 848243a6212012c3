import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LongshoreError } from '../../lib/errors.ts';
import { parseBody } from './json-body.ts';
import { checkShape } from './shapes.ts';
import type { Shape } from './shapes.ts';

/** Bodies of JSON requests; the largest in practice is a create with many labels. */
const LARGEST_JSON_BYTES = 4 * 1024 * 1024;

/** A request as handlers see it. */
export class ApiRequest {
  readonly raw: IncomingMessage;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Minor number of the API version that the client speaks: 50 for v1.50. */
  readonly minor: number;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Bytes of the body that came with the headers of an upgraded request. */
  readonly #head: Buffer | undefined;
  #read: Promise<Buffer> | undefined;

  constructor(raw: IncomingMessage, params: Readonly<Record<string, string>>, query: URLSearchParams, minor: number, signal: AbortSignal, head?: Buffer) {
    this.raw = raw;
    this.params = params;
    this.query = query;
    this.minor = minor;
    this.signal = signal;
    this.#head = head;
  }

  /** Go's httputils.BoolValue: everything but '', 0, no, false and none is true. */
  flag(name: string, otherwise = false): boolean {
    const value = this.query.get(name);
    if (value === null) return otherwise;
    return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
  }

  /** @throws `invalid` for what is not a whole number */
  integer(name: string): number | undefined {
    const value = this.query.get(name);
    if (value === null || value === '') return undefined;
    if (!/^-?\d+$/.test(value)) throw new LongshoreError('invalid', `invalid value for ${name}: "${value}" is not a number`);
    return Number(value);
  }

  /** The JSON body, of the shape given; undefined when there is none. @throws `invalid`, `too-large` */
  async json<T>(shape: Shape): Promise<T | undefined> {
    const value = await this.#parsed();
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) throw new LongshoreError('invalid', 'invalid JSON: an object is wanted');
    checkShape(value, shape);
    return value as T;
  }

  /** The same where there has to be a body; `{}` for null. @throws `invalid`, `too-large` */
  async requiredJson<T>(shape: Shape): Promise<T> {
    const value = await this.json<T>(shape);
    if (value === undefined && (await this.#body()).length === 0) throw new LongshoreError('invalid', 'invalid JSON: EOF');
    return value ?? ({} as T);
  }

  async #parsed(): Promise<unknown> {
    const bytes = await this.#body();
    const type = this.raw.headers['content-type'];
    if (type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) {
      throw new LongshoreError('invalid', `unsupported Content-Type header (${type}): must be 'application/json'`);
    }
    return bytes.length === 0 ? undefined : parseBody(bytes.toString('utf8'));
  }

  #body(): Promise<Buffer> {
    return (this.#read ??= this.#readBody());
  }

  async #readBody(): Promise<Buffer> {
    const declared = Number(this.raw.headers['content-length'] ?? 0);
    if (declared > LARGEST_JSON_BYTES) {
      throw new LongshoreError('too-large', `the request's body is larger than ${LARGEST_JSON_BYTES >> 20} MiB`);
    }
    // Of an upgraded request Node reads no body; HijackedRequest has cut it off the stream.
    if (this.#head !== undefined) return this.#head;
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of this.raw as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > LARGEST_JSON_BYTES) {
        throw new LongshoreError('too-large', `the request's body is larger than ${LARGEST_JSON_BYTES >> 20} MiB`);
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /** The `filters` parameter: `{"label":["a"]}`, or the older `{"label":{"a":true}}`. @throws `invalid` */
  filters(known?: readonly string[]): Filters {
    const text = this.query.get('filters');
    const map = new Map<string, readonly string[]>();
    if (text === null || text === '') return new Filters(map);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw new LongshoreError('invalid', 'invalid filters: not JSON', { cause: error });
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new LongshoreError('invalid', 'invalid filters: an object is wanted');
    }
    for (const [key, value] of Object.entries(parsed as Record<string, unknown>)) {
      if (known !== undefined && !known.includes(key)) throw new LongshoreError('invalid', `invalid filter '${key}'`);
      if (Array.isArray(value)) {
        map.set(key, value.map(String));
      } else if (typeof value === 'object' && value !== null) {
        map.set(
          key,
          Object.entries(value)
            .filter(([, on]) => on === true)
            .map(([name]) => name),
        );
      } else {
        throw new LongshoreError('invalid', `invalid filter '${key}'`);
      }
    }
    return new Filters(map);
  }
}

/** Filters of lists and events: values of one key are alternatives, keys add up. */
export class Filters {
  readonly #map: ReadonlyMap<string, readonly string[]>;

  constructor(map: ReadonlyMap<string, readonly string[]>) {
    this.#map = map;
  }

  has(key: string): boolean {
    return (this.#map.get(key)?.length ?? 0) > 0;
  }

  get(key: string): readonly string[] {
    return this.#map.get(key) ?? [];
  }

  /** True when the key has no values, or one of them is `value`. */
  allows(key: string, value: string): boolean {
    return !this.has(key) || this.get(key).includes(value);
  }

  /** True when the key has no values, or `test` holds for one of them. */
  some(key: string, test: (wanted: string) => boolean): boolean {
    return !this.has(key) || this.get(key).some(test);
  }

  /** A yes-or-no filter. @throws `invalid` */
  boolean(key: string): boolean | undefined {
    if (!this.has(key)) return undefined;
    const value = this.get(key)[0]!.toLowerCase();
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    throw new LongshoreError('invalid', `invalid filter '${key}=[${value}]'`);
  }

  /** All `label` values hold (`key` or `key=value`), and no `label!` one does. */
  labels(labels: Readonly<Record<string, string>>): boolean {
    return this.pairs('label', labels) && !this.get('label!').some((wanted) => holdsPair(labels, wanted));
  }

  /** All values of `key` (`name` or `name=value`) hold for a map. */
  pairs(key: string, map: Readonly<Record<string, string>>): boolean {
    return this.get(key).every((wanted) => holdsPair(map, wanted));
  }
}

function holdsPair(map: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  return equals < 0 ? Object.hasOwn(map, wanted) : map[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

/** What a handler answers with, when it does not write the response by itself. */
export interface JsonAnswer {
  readonly status?: number;
  readonly body?: unknown;
}

export type Handler = (request: ApiRequest, response: ServerResponse) => Promise<JsonAnswer | void> | JsonAnswer;
/** Takes over the connection: the request's stream is neither HTTP any more nor ours. */
export type UpgradeHandler = (request: ApiRequest, connection: Hijacked) => Promise<void>;

/** A connection taken over from HTTP. */
export interface Hijacked {
  readonly socket: Duplex;
  /** From here on every byte is the handler's, the answer's head as well. */
  take(): void;
  /** Answers with 101 (or, for a client that did not ask to upgrade, 200); from then on bytes are the handler's. */
  accept(contentType: string): void;
}
