import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { isCode, LongshoreError, messageOf } from '../../../lib/errors.ts';
import { allContainers } from '../plan.ts';
import { serveLogs } from './container-logs.ts';
import { servePortForward } from './port-forward.ts';
import { serveRemote } from './remote-command.ts';
import type { ContainerTarget, NodeApiOptions } from './request.ts';
import { statsSummary } from './stats.ts';

/** The first parts of all paths that are served. */
export const NODE_PATHS = ['healthz', 'pods', 'containerLogs', 'stats', 'exec', 'attach', 'portForward'] as const;
type NodePath = (typeof NODE_PATHS)[number];

/**
 * The node's own API, with the kubelet's paths. Who may connect is settled before: in-process connections come from our API server,
 * and a listener (the caller's) takes only clients with a certificate of the cluster. So nothing is authorised here.
 */
export function createNodeApi(options: NodeApiOptions): Server {
  const { agent, logger } = options;
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      response.writeHead(statusOf(error), { 'content-type': 'text/plain' }).end(`${messageOf(error)}\n`);
    });
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy()); // the client went away
    upgrade(request, socket, head).catch((error: unknown) => {
      logger.debug('an upgrade was refused', { path: request.url ?? '', error: messageOf(error) });
      const status = statusOf(error);
      if (!socket.destroyed) {
        socket.end(
          `HTTP/1.1 ${status} ${status === 404 ? 'Not Found' : 'Error'}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n${messageOf(error)}\n`,
        );
      }
    });
  });
  // Streams live long; those who connect are trusted to end them.
  server.requestTimeout = 0;
  server.headersTimeout = 30_000;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { parts, query } = parse(request);
    const json = (body: unknown): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (parts[0] as NodePath) {
      case 'healthz': return void response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
      case 'pods': return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: agent.pods() });
      case 'containerLogs': return serveLogs(options, await container(parts), query, request, response);
      case 'stats': return json(await statsSummary(options));
      case 'exec': case 'attach': case 'portForward':
        response.writeHead(400, { 'content-type': 'text/plain' }).end(`unable to upgrade: ${parts[0]} needs an upgrade to SPDY/3.1 or WebSocket\n`);
        return undefined;
      default:
        response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
        return undefined;
    }
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { parts, query } = parse(request);
    if (parts[0] === 'exec' || parts[0] === 'attach') {
      await serveRemote(options, parts[0], await container(parts), query, request, socket, head);
    } else if (parts[0] === 'portForward') {
      await servePortForward(options, sandboxOf(parts), query, request, socket, head);
    } else {
      throw new LongshoreError('not-found', `there is no ${request.url} to upgrade to`);
    }
  }

  /** The container that the path names, by its newest run. */
  async function container(parts: readonly string[]): Promise<ContainerTarget> {
    const [, namespace = '', pod = '', ...rest] = parts;
    const name = rest.at(-1) ?? '';
    const worker = agent.find(namespace, pod);
    if (!worker) throw new LongshoreError('not-found', `pod "${pod}" in namespace "${namespace}" is not on this node`);
    if (!allContainers(worker.pod).some((each) => each.name === name)) {
      throw new LongshoreError('invalid', `container ${name} is not valid for pod ${pod}`);
    }
    return Promise.resolve({ namespace, pod, container: name });
  }

  function sandboxOf([, namespace = '', pod = '']: readonly string[]): string {
    const id = agent.find(namespace, pod)?.sandboxId;
    if (id === undefined) throw new LongshoreError('not-found', `pod "${pod}" in namespace "${namespace}" does not run on this node`);
    return id;
  }

  return server;
}

function parse(request: IncomingMessage): { readonly parts: readonly string[]; readonly query: URLSearchParams } {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  return { parts: path.split('/').filter((part) => part !== '').map(decodeURIComponent), query: new URLSearchParams(query) };
}

function statusOf(error: unknown): number {
  if (isCode(error, 'not-found')) return 404;
  if (isCode(error, 'invalid')) return 400;
  if (isCode(error, 'not-implemented')) return 501;
  return 500;
}
