import type { Duplex, Readable } from 'node:stream';
import type { Clock } from '../../../lib/clock.ts';

/** What belongs to a connection: known once, used by each of its requests. */
export interface ConnectionFacts {
  /** DER of the verified client certificate; undefined without one. */
  readonly clientCertificate: Buffer | undefined;
  /** A certificate was shown that our authority did not sign, or that is out of time: its requests are refused. */
  readonly badCertificate: boolean;
  readonly remoteAddress: string;
  /** What its last request showed; see Shown. */
  readonly bearer: { header: string; token: string };
  /** The server's timers. */
  readonly after: Clock['after'];
}

/** A body that is sent as it comes: a watch, a log. */
export interface BodyStream {
  /** Bytes handed over that the client has not taken yet. */
  readonly pending: number;
  write(chunk: Buffer | string): void;
  /** Calls back once, when what is pending has been taken. */
  onDrain(fn: () => void): void;
  end(): void;
  /** Ends at once and lets the client see that something is missing. */
  abort(): void;
}

/** Headers as name, value, name, value…, in the case in which they go out. */
export type HeaderList = readonly string[];

/**
 * One request and its answer, whichever version of HTTP carries it. Names of
 * headers are lower case. An answer is given once; a second one is ignored,
 * since the client may have gone.
 */
export interface Exchange {
  readonly method: string;
  /** The request target as it came: no decoding, no normalising. */
  readonly target: string;
  readonly connection: ConnectionFacts;
  header(name: string): string | undefined;
  /** Whether there is a header whose name begins so. */
  hasHeaderOf(prefix: string): boolean;
  /** Every value of a header that may come more than once. */
  headers(name: string): readonly string[];
  /** All header pairs, lower case names, for relaying. */
  allHeaders(): readonly (readonly [string, string])[];
  /** The whole body. @throws StatusError 413 beyond `limit` bytes, 408 when it takes longer than a minute to come */
  body(limit: number): Promise<Buffer>;
  /** The body as it comes, without a limit: for relaying. */
  bodyStream(): Readable;
  respond(status: number, headers: HeaderList, body: Buffer | string): void;
  stream(status: number, headers: HeaderList): BodyStream;
  readonly answered: boolean;
  /** True once the client has gone, or the answer is out. */
  readonly closed: boolean;
  /** Calls back once when the exchange is over, in good order or not; at once if it is already. */
  onClose(fn: () => void): void;
  /** The connection itself, for an upgrade (HTTP/1.1 only), with bytes that came after the head. Whoever takes it owns it. */
  takeSocket(): { readonly socket: Duplex; readonly head: Buffer } | undefined;
}
