import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import { acceptSpdy, refuseProtocol, streamProtocols } from '../streams/remote-spdy.ts';
import { SpdyConnection, type SpdyStream } from '../streams/spdy-connection.ts';
import { isWebSocketRequest, offeredProtocols, WebSocketConnection } from '../../../lib/websocket.ts';
import type { NodeApiOptions } from './request.ts';

const PROTOCOL = 'portforward.k8s.io';
/** kubectl 1.31 and later: the SPDY connection travels in binary messages of a WebSocket. */
const TUNNEL = 'SPDY/3.1+portforward.k8s.io';

/** Forwards ports of a pod: for each connection of the client one data stream and one error stream, paired by `requestID`. */
export async function servePortForward(
  { cri, logger }: NodeApiOptions,
  sandboxId: string,
  query: URLSearchParams,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const carrier = open(request, socket, head);
  if (!carrier) return;
  const waiting = new Map<string, SpdyStream>();
  const connection = new SpdyConnection(carrier, (stream) => {
    const type = stream.headers.get('streamtype');
    const id = stream.headers.get('requestid') ?? stream.headers.get('port') ?? '';
    if (type === 'error') {
      stream.resume();
      waiting.set(id, stream);
      return;
    }
    const error = waiting.get(id);
    waiting.delete(id);
    const port = Number(stream.headers.get('port'));
    void forward(stream, error, port);
  });
  const forward = async (data: SpdyStream, error: SpdyStream | undefined, port: number): Promise<void> => {
    try {
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new LongshoreError('invalid', `"${port}" is not a port`);
      const target = await cri.portForward(sandboxId, port);
      error?.end();
      target.on('error', () => data.destroy());
      data.on('error', () => target.destroy()).once('close', () => target.destroy());
      data.pipe(target).pipe(data);
    } catch (failure) {
      logger.debug('a port could not be forwarded', { port, error: messageOf(failure) });
      error?.end(`error forwarding port ${port} to pod: ${messageOf(failure)}`);
      data.destroy();
    }
  };
  await connection.closed;
}

function open(request: IncomingMessage, socket: Duplex, head: Buffer): Duplex | undefined {
  if (!isWebSocketRequest(request)) {
    const offered = streamProtocols(request);
    if (offered.length > 0 && !offered.includes(PROTOCOL)) {
      refuseProtocol(socket, offered, [PROTOCOL]);
      return undefined;
    }
    if (head.length > 0) socket.unshift(head);
    acceptSpdy(socket, PROTOCOL);
    return socket;
  }
  const offered = offeredProtocols(request);
  if (!offered.includes(TUNNEL)) {
    socket.end(
      `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nnone of the sub-protocols is known: ${offered.join(', ').slice(0, 200)}; known is ${TUNNEL}\n`,
    );
    return undefined;
  }
  return tunnel(request, socket, head);
}

/** A byte stream in the binary messages of a WebSocket. */
function tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): Duplex {
  let resume = (): void => {};
  const stream = new Duplex({
    read: () => resume(),
    write(chunk: Buffer, _encoding, done) {
      websocket.send(chunk).then(() => done(), done);
    },
    final(done) {
      websocket.end().then(() => done(), done);
    },
    destroy(error, done) {
      websocket.destroy();
      done(error);
    },
  });
  const websocket = new WebSocketConnection(request, socket, head, TUNNEL, (message) => {
    if (stream.push(message)) return undefined;
    return new Promise<void>((resolve) => (resume = resolve));
  });
  void websocket.closed.then(() => {
    resume();
    stream.push(null);
    stream.destroy();
  });
  return stream;
}
