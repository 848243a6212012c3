import * as http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../lib/clock.ts';
import type { Wire, WireRequest, WireResponse } from './wire.ts';

/** A connection that carries streams is asked for a sign of life this often, since a dead peer sends nothing. */
const PING_MS = 30_000;
const PING_DEADLINE_MS = 15_000;

interface Session {
  readonly session: http2.ClientHttp2Session;
  streams: number;
}

/** HTTP/2: many requests and watches over few connections; another is opened when the server's bound on streams is met. */
export class Http2Wire implements Wire {
  readonly #origin: URL;
  readonly #connect: () => Promise<Duplex>;
  readonly #clock: Clock;
  readonly #sessions = new Set<Session>();
  #opening: Promise<Session> | undefined;
  #closed = false;

  /** @param connect opens a connection on which the server expects HTTP/2 */
  constructor(origin: URL, connect: () => Promise<Duplex>, clock: Clock) {
    this.#origin = origin;
    this.#connect = connect;
    this.#clock = clock;
  }

  async request({ method, path, headers, body, signal }: WireRequest): Promise<WireResponse> {
    signal?.throwIfAborted();
    const entry = this.#free() ?? (await this.#open());
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const stream = entry.session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined, ...(signal && { signal }) });
      // A connection keeps the process alive while it carries something.
      if (entry.streams++ === 0) entry.session.ref();
      stream.on('close', () => {
        if (--entry.streams === 0 && !entry.session.destroyed) entry.session.unref();
        this.#retire(entry);
        reject(new Error(`the stream was closed before an answer came (code ${stream.rstCode})`)); // without effect when it was resolved
      });
      stream.on('error', reject);
      stream.on('response', (answer) => {
        resolve({ status: Number(answer[':status']), retryAfter: answer['retry-after'], warning: answer['warning'], body: stream });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  close(): void {
    this.#closed = true;
    for (const { session } of this.#sessions) session.destroy();
    this.#sessions.clear();
  }

  #free(): Session | undefined {
    for (const entry of this.#sessions) {
      const limit = entry.session.remoteSettings.maxConcurrentStreams ?? 100;
      if (!entry.session.closed && !entry.session.destroyed && entry.streams < limit) return entry;
    }
    return undefined;
  }

  #open(): Promise<Session> {
    this.#opening ??= this.#dial().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #dial(): Promise<Session> {
    const socket = await this.#connect();
    if (this.#closed) {
      socket.destroy();
      throw new Error('the client was closed');
    }
    const session = http2.connect(this.#origin, { createConnection: () => socket, settings: { enablePush: false, initialWindowSize: 4 << 20 } });
    const entry: Session = { session, streams: 0 };
    await new Promise<void>((resolve, reject) => {
      session.once('remoteSettings', () => resolve());
      session.once('error', reject);
      session.once('close', () => reject(new Error('the server closed the connection')));
    });
    session.setLocalWindowSize(16 << 20);
    session.unref();
    this.#sessions.add(entry);
    // Each stream gets the error as well; it is theirs to report.
    session.on('error', () => this.#sessions.delete(entry));
    session.on('goaway', () => this.#retire(entry));
    session.on('close', () => this.#sessions.delete(entry));
    this.#keepAlive(entry);
    return entry;
  }

  /** A session that takes no new streams goes when its last one has ended. */
  #retire(entry: Session): void {
    if (!entry.session.closed) return;
    this.#sessions.delete(entry);
    if (entry.streams === 0 && !entry.session.destroyed) entry.session.destroy();
  }

  #keepAlive(entry: Session): void {
    const cancel = this.#clock.after(PING_MS, () => {
      if (entry.session.destroyed) return;
      if (entry.streams === 0) return this.#keepAlive(entry);
      const giveUp = this.#clock.after(PING_DEADLINE_MS, () => entry.session.destroy(new Error('the server does not answer pings')));
      entry.session.ping((error) => {
        giveUp();
        if (!error) this.#keepAlive(entry);
      });
    });
    entry.session.once('close', cancel);
  }
}
