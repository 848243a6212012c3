import { ServerResponse, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { isCode, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { LOCAL_VOLUMES, removeClaimFolder } from './remove-volume.ts';

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
  /** Who may ask what, where clients are not our API server alone. Without it nobody else is let in. */
  readonly authorize?: Authorize;
}

/** A client's name and groups, by its certificate. */
export interface NodeClient {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Whether a client may make this request: its method and its target, with the query. */
export type Authorize = (client: NodeClient, method: string, target: string) => Promise<boolean>;

/**
 * Serves a node's API over TLS. Without `authorize` nobody is authorised request by request here:
 * our API server has done that, and nobody else gets as far as a request.
 */
export function nodeListener({ certificate, key, authority, api, logger, authorize }: NodeListenerOptions): TlsServer {
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
    if (socket.authorized && (authorize !== undefined || isApiServer(socket.getPeerCertificate()))) return;
    logger.warn('a client that is not the API server was turned away', { from: socket.remoteAddress ?? '' });
    socket.destroy();
  });
  for (const event of ['request', 'upgrade'] as const) {
    for (const listener of api.listeners(event) as ((...args: unknown[]) => void)[]) {
      if (authorize === undefined) {
        server.on(event, (request: IncomingMessage, ...rest: unknown[]) => {
          if (event === 'request' && isVolume(request)) void removeVolume(request, rest[0] as ServerResponse, logger);
          else listener(request, ...rest);
        });
      } else {
        server.on(
          event,
          (request: IncomingMessage, answer: ServerResponse | Duplex, ...rest: unknown[]) =>
            void admit(authorize, request, answer, () => listener(request, answer, ...rest), logger),
        );
      }
    }
  }
  return server;
}

function isVolume({ method, url }: IncomingMessage): boolean {
  return method === 'DELETE' && url?.split('?')[0] === LOCAL_VOLUMES;
}

async function removeVolume({ url }: IncomingMessage, response: ServerResponse, logger: Logger): Promise<void> {
  const path = new URLSearchParams(url?.split('?')[1]).get('path') ?? '';
  try {
    await removeClaimFolder(path);
    logger.info("deleted a claim's folder", { path });
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
  } catch (error) {
    response.writeHead(isCode(error, 'forbidden') ? 403 : 500, { 'content-type': 'text/plain' }).end(`${messageOf(error)}\n`);
  }
}

/** Passes a request on when its client may make it. */
async function admit(authorize: Authorize, request: IncomingMessage, answer: ServerResponse | Duplex, pass: () => void, logger: Logger): Promise<void> {
  const client = clientOf((request.socket as TLSSocket).getPeerCertificate());
  let [status, why] = [403, `Forbidden (user=${client?.name ?? ''}, method=${request.method})`];
  try {
    if (client && (await authorize(client, request.method ?? '', request.url ?? ''))) {
      pass();
      return;
    }
  } catch (error) {
    [status, why] = [500, `Authorization error: ${messageOf(error)}`];
  }
  logger.warn('a request to the node was refused', { client: client?.name ?? '', method: request.method ?? '', why });
  if (answer instanceof ServerResponse) answer.writeHead(status, { 'content-type': 'text/plain' }).end(`${why}\n`);
  else answer.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${why}\n`);
}

/** Undefined for a certificate without one plain name. */
function clientOf({ subject }: Partial<PeerCertificate>): NodeClient | undefined {
  const { CN: name, O: organizations = [] }: { CN?: unknown; O?: unknown } = subject ?? {};
  if (typeof name !== 'string') return undefined;
  return { name, groups: [organizations].flat().filter((group) => typeof group === 'string') };
}

function isApiServer({ subject }: Partial<PeerCertificate>): boolean {
  // Names that come more than once are lists: not what our authority wrote.
  const { CN: name, O: organization }: { CN?: unknown; O?: unknown } = subject ?? {};
  return name === COMMON_NAME && organization === ORGANIZATION;
}
