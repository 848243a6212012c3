import type { Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import type { Logger } from '../lib/log.ts';

/**
 * What the API server's certificate says when it comes to nodes: the name, and
 * the group that no request for a certificate may name, so that nobody who is
 * merely let sign names can make one.
 */
const COMMON_NAME = 'kube-apiserver-kubelet-client';
const ORGANIZATION = 'system:masters';

export interface NodeListenerOptions {
  /** Certificate and key of the node, and the cluster's authority, as PEM. */
  readonly certificate: Buffer | string;
  readonly key: Buffer | string;
  readonly authority: Buffer | string;
  /** Speaks the node's API; listens nowhere by itself. */
  readonly api: Server;
  readonly logger: Logger;
}

/**
 * Serves a node's API over TLS. Nobody is authorised request by request here:
 * the API server has done that, and nobody else gets as far as a request.
 */
export function nodeListener({ certificate, key, authority, api, logger }: NodeListenerOptions): TlsServer {
  const server = createTlsServer({
    cert: certificate,
    key,
    ca: authority,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    requestTimeout: 0,
    headersTimeout: 30_000,
  });
  // Before the parser sees the connection.
  server.prependListener('secureConnection', (socket) => {
    if (socket.authorized && isApiServer(socket.getPeerCertificate())) return;
    logger.warn('a client that is not the API server was turned away', { from: socket.remoteAddress ?? '' });
    socket.destroy();
  });
  for (const event of ['request', 'upgrade'] as const) {
    for (const listener of api.listeners(event)) {
      server.on(event, listener as (...args: unknown[]) => void);
    }
  }
  return server;
}

function isApiServer({ subject }: Partial<PeerCertificate>): boolean {
  // Names that come more than once are lists: not what our authority wrote.
  const { CN: name, O: organization }: { CN?: unknown; O?: unknown } = subject ?? {};
  return name === COMMON_NAME && organization === ORGANIZATION;
}
