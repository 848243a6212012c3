import { createServer as createHttp, type IncomingMessage, ServerResponse } from 'node:http';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTls, type TLSSocket } from 'node:tls';
import { LongshoreError, isErrno, messageOf } from '../../../lib/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { ConnectionFacts, Exchange } from './exchange.ts';
import { Http1Exchange } from './http1.ts';
import { Http2Exchange } from './http2.ts';

/** HPACK and header limits: what a hostile client can make us hold for one request. */
const MAX_HEADER_BYTES = 65_536;
const MAX_STREAMS = 250;
const HANDSHAKE_MS = 10_000;
const HEADERS_MS = 30_000;
const KEEP_ALIVE_MS = 120_000;
/** An HTTP/2 connection on which nothing is asked is closed after so long. */
const IDLE_SESSION_MS = 300_000;
/** A peer that is gone without a word is found out by the kernel's probes. */
const PROBE_AFTER_MS = 60_000;
/** More than any cluster of ours has; each takes some 60 KiB, whoever opens it. */
const MAX_CONNECTIONS = 4096;

export interface ListenerOptions {
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly key: string;
  readonly certificate: string;
  /** Authorities whose client certificates are taken, as PEM. */
  readonly clientAuthority: string;
  readonly handle: (exchange: Exchange) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Listener {
  readonly port: number;
  /** Open now. */
  readonly connections: number;
  /** Stops listening, ends idle connections at once and the others when they are done or after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/**
 * One TLS port for HTTP/2 and HTTP/1.1, chosen by ALPN. Both parsers are
 * Node's own, which refuse what could be read in two ways.
 * @throws LongshoreError `conflict` when the port is taken
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const sockets = new Set<TLSSocket>();
  const facts = new WeakMap<object, ConnectionFacts>();
  const sessions = new Set<ServerHttp2Session>();
  const { handle, logger, clock } = options;
  const after = (ms: number, fn: () => void): (() => void) => clock.after(ms, fn);

  const http = createHttp(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      insecureHTTPParser: false,
    },
    (request, response) => {
      handle(new Http1Exchange(request, response, facts.get(request.socket)!));
    },
  );
  http.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    handle(new Http1Exchange(request, response, facts.get(request.socket)!));
  });
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node takes its own response away from a request with an Upgrade header; an ordinary answer needs one. The connection ends with it:
    // what follows such a request may be of any protocol, and is never read as a request.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end());
    socket.on('error', () => socket.destroy());
    handle(new Http1Exchange(request, response, facts.get(request.socket)!, { socket, head }));
  });
  http.on('clientError', (_error: Error, socket: Duplex) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });

  // It listens nowhere by itself: connections come from the TLS server. This starts its watch over slow and idle ones.
  http.emit('listening');

  const onSession = (session: ServerHttp2Session, socket: TLSSocket, connection: ConnectionFacts): void => {
    sessions.add(session);
    session.on('close', () => {
      sessions.delete(session);
      socket.destroy();
    });
    let streams = 0;
    const idle = (): void => {
      // Watches are silent for long; what has none and asks nothing is let go.
      if (streams === 0) session.close();
      else session.setTimeout(IDLE_SESSION_MS, idle);
    };
    session.setTimeout(IDLE_SESSION_MS, idle);
    session.on('error', (error) => logger.debug('an HTTP/2 connection failed', { error: messageOf(error) }));
    session.on('stream', (stream: ServerHttp2Stream, headers, flags: number, raw: string[]) => {
      streams++;
      stream.once('close', () => streams--);
      stream.on('error', (error) => logger.debug('an HTTP/2 stream failed', { error: messageOf(error) }));
      handle(new Http2Exchange(stream, headers, raw, (flags & 1) !== 0, connection));
    });
  };

  const server = createTls(
    {
      key: options.key,
      cert: options.certificate,
      ca: options.clientAuthority,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    },
    (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', (error) => logger.debug('a connection failed', { error: messageOf(error) }));
      socket.setNoDelay(true);
      const peer = socket.getPeerX509Certificate();
      const connection: ConnectionFacts = {
        clientCertificate: peer !== undefined && socket.authorized ? peer.raw : undefined,
        badCertificate: peer !== undefined && !socket.authorized,
        remoteAddress: socket.remoteAddress ?? '',
        bearer: { header: '', token: '' },
        after,
      };
      facts.set(socket, connection);
      if (socket.alpnProtocol === 'h2') {
        onSession(
          performServerHandshake(socket, {
            maxHeaderListPairs: 256,
            maxSessionMemory: 64,
            settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: 1 << 20, maxHeaderListSize: MAX_HEADER_BYTES },
          }),
          socket,
          connection,
        );
      } else http.emit('connection', socket);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on('tlsClientError', (error) => logger.debug('a TLS handshake failed', { error: messageOf(error) }));

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        isErrno(error, 'EADDRINUSE')
          ? new LongshoreError('conflict', `the API server cannot listen on ${options.address}:${options.port}: the port is in use`, {
              remedy: 'stop the other program or choose another port',
              cause: error,
            })
          : error,
      ),
    );
    server.listen(options.port, options.address, 1024, resolve);
  });

  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size;
    },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      http.close(() => {}); // Its callback tells that it never listened; what matters is that idle connections end.
      for (const session of sessions) session.close();
      const cancel = after(graceMs, () => sockets.forEach((socket) => socket.destroy()));
      await closed;
      cancel();
    },
  };
}
