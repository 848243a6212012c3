import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { decodeMessage, frame, GRPC, GrpcError, unframe } from './frames.ts';

export interface ClientCall {
  /** What the server sends; ends, or throws a GrpcError. */
  readonly messages: AsyncIterable<Buffer>;
  /** Resolves when there is room for more. */
  send(message: Uint8Array): Promise<void> | void;
  /** No more messages. */
  end(): void;
  cancel(): void;
}

const WINDOW = 4 << 20;

/** Calls gRPC methods over one connection, which somebody else has made. */
export class GrpcClient {
  readonly #session: ClientHttp2Session;

  constructor(socket: Duplex) {
    this.#session = connect('http://localhost', { createConnection: () => socket, settings: { initialWindowSize: WINDOW, enablePush: false } });
    // Those who call hear of it.
    this.#session.on('error', () => this.#session.destroy());
    this.#session.once('connect', () => this.#session.setLocalWindowSize(4 * WINDOW));
  }

  get closed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  onClose(listener: () => void): void {
    this.#session.once('close', listener);
  }

  close(): void {
    this.#session.destroy();
  }

  /** @param metadata values may be lists. @throws GrpcError UNAVAILABLE when the connection is gone */
  call(path: string, metadata: OutgoingHttpHeaders = {}, signal?: AbortSignal): ClientCall {
    if (this.closed) throw new GrpcError(GRPC.UNAVAILABLE, 'the client has closed its session');
    const stream = this.#session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...metadata },
      signal ? { signal } : {},
    );
    const status = statusOf(stream);
    // It is asked for at the end of the messages, if anybody reads them.
    status.catch(() => {});
    return {
      messages: messagesOf(stream, status),
      send: (message) => {
        if (stream.destroyed || stream.closed) return undefined;
        return stream.write(frame(message)) ? undefined : roomIn(stream);
      },
      end: () => void stream.end(),
      cancel: () => stream.close(),
    };
  }

  /** One message there, one back. @throws GrpcError */
  async unary(path: string, message: Uint8Array, metadata: OutgoingHttpHeaders = {}, signal?: AbortSignal): Promise<Buffer> {
    const call = this.call(path, metadata, signal);
    void call.send(message);
    call.end();
    let answer: Buffer | undefined;
    for await (const each of call.messages) answer ??= each;
    if (!answer) throw new GrpcError(GRPC.INTERNAL, `${path} gave no answer`);
    return answer;
  }
}

/** Resolves when the stream takes more, or is closed: then there is nothing to wait for. */
export function roomIn(stream: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener('drain', done);
      stream.removeListener('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

async function* messagesOf(stream: ClientHttp2Stream, status: Promise<void>): AsyncGenerator<Buffer, void, void> {
  try {
    yield* unframe(stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>);
  } catch (error) {
    if (error instanceof GrpcError) throw error;
    // The status says more, when there is one.
    await status;
    throw new GrpcError(GRPC.UNAVAILABLE, error instanceof Error ? error.message : String(error));
  }
  try {
    await status;
  } finally {
    // It ended on the other side; ours may still be open.
    if (!stream.closed) stream.close();
  }
}

/** Settles with the call's status: rejects for another than OK. The server may be done before we are. */
function statusOf(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (headers: IncomingHttpHeaders): void => {
      if (headers['grpc-status'] === undefined) return;
      const code = Number(headers['grpc-status']);
      if (code === GRPC.OK) resolve();
      else reject(new GrpcError(code, decodeMessage(String(headers['grpc-message'] ?? ''))));
    };
    stream.on('response', look);
    stream.on('trailers', look);
    stream.once('error', (error) => reject(new GrpcError(GRPC.UNAVAILABLE, error.message)));
    stream.once('close', () => reject(new GrpcError(GRPC.UNAVAILABLE, 'the client has closed its session')));
  });
}
