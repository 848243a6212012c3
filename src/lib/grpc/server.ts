import { performServerHandshake } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { roomIn } from './client.ts';
import { encodeMessage, frame, GRPC, GrpcError, unframe } from './frames.ts';

/** One call, as its handler sees it. */
export interface ServerCall {
  readonly metadata: IncomingHttpHeaders;
  /** What the client sends. */
  readonly messages: AsyncIterable<Buffer>;
  /** Aborts when the client cancels or goes away. */
  readonly signal: AbortSignal;
  /** Resolves when there is room for more. */
  send(message: Uint8Array): Promise<void> | void;
}

/** Ends the call when it resolves; throws GrpcError for another status than OK. */
export type GrpcHandler = (call: ServerCall) => Promise<void>;

const WINDOW = 4 << 20;

/**
 * Serves gRPC on one connection, with prior knowledge of HTTP/2 (github.com/grpc/grpc, PROTOCOL-HTTP2.md).
 * @param handlers by path, as in `/package.Service/Method`
 * @param toStatus what an error that a handler throws means
 */
export function serveGrpc(
  socket: Duplex,
  head: Buffer,
  handlers: ReadonlyMap<string, GrpcHandler>,
  toStatus: (error: unknown) => GrpcError,
): ServerHttp2Session {
  if (head.length > 0) socket.unshift(head);
  const session = performServerHandshake(socket, { settings: { initialWindowSize: WINDOW, maxConcurrentStreams: 256 } });
  session.on('error', () => session.destroy());
  session.on('stream', (stream, headers) => void answer(stream, headers, handlers, toStatus));
  return session;
}

/** A unary method: one message in, one out. */
export function unary(handler: (message: Buffer, call: ServerCall) => Promise<Uint8Array>): GrpcHandler {
  return async (call) => {
    for await (const message of call.messages) {
      await call.send(await handler(message, call));
      return;
    }
    throw new GrpcError(GRPC.INVALID_ARGUMENT, 'the call has no message');
  };
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handlers: ReadonlyMap<string, GrpcHandler>,
  toStatus: (error: unknown) => GrpcError,
): Promise<void> {
  const gone = new AbortController();
  stream.on('aborted', () => gone.abort(new GrpcError(GRPC.CANCELLED, 'the client cancelled the call')));
  stream.on('close', () => gone.abort(new GrpcError(GRPC.CANCELLED, 'the call is over')));
  stream.on('error', () => gone.abort(new GrpcError(GRPC.CANCELLED, 'the client went away')));
  const path = headers[':path'] ?? '';
  const handler = handlers.get(path);
  let status = new GrpcError(GRPC.OK, '');
  try {
    if (!handler) throw new GrpcError(GRPC.UNIMPLEMENTED, `unknown method ${path}`);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers(status)));
    await handler({
      metadata: headers,
      messages: unframe(stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>),
      signal: gone.signal,
      send: (message) => {
        if (stream.destroyed || stream.closed) return undefined;
        return stream.write(frame(message)) ? undefined : roomIn(stream);
      },
    });
  } catch (error) {
    status = error instanceof GrpcError ? error : toStatus(error);
  }
  if (stream.destroyed || stream.closed) return;
  if (!stream.headersSent) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers(status) }, { endStream: true });
    return;
  }
  stream.end();
  // What the client still sends is of no interest.
  stream.resume();
}

function trailers(status: GrpcError): Record<string, string> {
  return {
    'grpc-status': String(status.code),
    ...(status.message === '' ? {} : { 'grpc-message': encodeMessage(status.message) }),
    ...(status.details === undefined ? {} : { 'grpc-status-details-bin': Buffer.from(status.details).toString('base64').replace(/=+$/, '') }),
  };
}
