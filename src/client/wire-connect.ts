import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Duplex } from 'node:stream';
import type { Clock } from '../lib/clock.ts';
import { Http1Wire, type TlsOptions } from './wire-http1.ts';
import { Http2Wire } from './wire-http2.ts';
import type { Wire, WireRequest, WireResponse } from './wire.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Speaks what the server prefers: over TLS that is agreed upon in the handshake (ALPN). */
class NegotiatedWire implements Wire {
  readonly #http1: Http1Wire;
  readonly #http2: Http2Wire;
  #speaks: 'unknown' | 'h2' | 'http/1.1' = 'unknown';

  constructor(origin: URL, options: TlsOptions, clock: Clock) {
    this.#http1 = new Http1Wire(origin, options);
    this.#http2 = new Http2Wire(origin, async () => {
      const socket = await dialTls(origin, options);
      if (socket.alpnProtocol === 'h2') return socket;
      socket.destroy();
      this.#speaks = 'http/1.1';
      throw new Error('the server does not speak HTTP/2');
    }, clock);
  }

  async request(request: WireRequest): Promise<WireResponse> {
    if (this.#speaks === 'http/1.1') return this.#http1.request(request);
    try {
      return await this.#http2.request(request);
    } catch (error) {
      // Set meanwhile by the connection; nothing was sent yet.
      if ((this.#speaks as string) === 'http/1.1') return this.#http1.request(request);
      throw error;
    }
  }

  close(): void {
    this.#http1.close();
    this.#http2.close();
  }
}

function dialTls(origin: URL, options: TlsOptions): Promise<tls.TLSSocket> {
  const host = hostOf(origin);
  return settled(tls.connect({
    host, port: Number(origin.port || 443), ALPNProtocols: ['h2', 'http/1.1'],
    ...(net.isIP(host) === 0 && { servername: host }), ...options,
  }), 'secureConnect');
}

function settled<S extends net.Socket>(socket: S, ready: string): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`)));
    socket.once('error', reject);
    socket.once(ready, () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function hostOf(origin: URL): string {
  return origin.hostname.replace(/^\[|\]$/g, '');
}

/**
 * The wire to one server.
 * @param protocol 'negotiate' is for https; 'h2' over http is HTTP/2 with prior knowledge
 */
export function connectWire(origin: URL, options: TlsOptions, clock: Clock, protocol: 'negotiate' | 'http/1.1' | 'h2' = 'negotiate'): Wire {
  if (protocol === 'http/1.1' || (protocol === 'negotiate' && origin.protocol === 'http:')) return new Http1Wire(origin, options);
  if (origin.protocol === 'http:') {
    return new Http2Wire(
      origin,
      (): Promise<Duplex> => settled(net.connect({ host: hostOf(origin), port: Number(origin.port || 80) }), 'connect'),
      clock,
    );
  }
  return new NegotiatedWire(origin, options, clock);
}
