import { chmod, chown, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LongshoreError, isErrno, messageOf } from '../../lib/errors.ts';
import { sendError, sendJson, statusOf, textOf } from './answers.ts';
import { ExecRegistry } from './containers/exec-registry.ts';
import type { Deps, DockerApiOptions } from './deps.ts';
import { EventHub } from './events.ts';
import { ApiRequest } from './request.ts';
import type { Hijacked } from './request.ts';
import { Router } from './router.ts';
import { addRoutes } from './routes.ts';
import { MAX_MINOR, MIN_MINOR } from './version.ts';

const VERSIONED = /^\/v(\d+)\.(\d+)(\/.*)$/;
const LARGEST_HIJACKED_BODY_BYTES = 4 * 1024 * 1024;

/** The Docker Engine HTTP API, on a unix socket. */
export class DockerApi {
  readonly #options: Deps;
  readonly #router = new Router();
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #path: string | undefined;

  constructor(options: DockerApiOptions) {
    this.#options = { ...options, events: new EventHub(options), execs: new ExecRegistry(options) };
    addRoutes(this.#router, this.#options);
    this.#server = createServer({
      keepAliveTimeout: 0,
      requestTimeout: 0, // a build's context may take as long as it likes
      headersTimeout: 60_000,
      // curl and others offer h2c everywhere: only our own upgrades are taken.
      shouldUpgradeCallback: (request: IncomingMessage) => this.#upgrades(request),
    } as Parameters<typeof createServer>[0], (request: IncomingMessage, response: ServerResponse) => void this.#handle(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void this.#hijack(request, socket, head));
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    this.#server.on('clientError', (_error: Error, socket: Duplex) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
  }

  /** Events of this engine: for others who cause some (builds). */
  get events(): EventHub {
    return this.#options.events;
  }

  /**
   * Listens at a path, for root and, where there is one, its group. A socket that a dead daemon left is replaced.
   * @throws `conflict` when somebody answers there
   */
  async listen(path: string, groupId?: number): Promise<void> {
    if (await answers(path)) {
      throw new LongshoreError('conflict', `another program serves ${path}`, {
        object: path,
        remedy: 'Stop it, or choose another socket.',
      });
    }
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
    this.#path = path;
    await chmod(path, 0o660);
    if (groupId !== undefined) await chown(path, 0, groupId);
  }

  /** Stops listening, and ends what is open. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#connections) socket.destroy();
    await closed;
    this.#options.events.close();
    if (this.#path !== undefined) await rm(this.#path, { force: true });
  }

  #upgrades(request: IncomingMessage): boolean {
    const { path } = split(request.url ?? '/');
    const found = this.#router.match(request.method ?? 'GET', path);
    return typeof found === 'object' && found.route.upgrade !== undefined;
  }

  async #handle(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Api-Version', `1.${MAX_MINOR}`);
    response.setHeader('Server', SERVER);
    const gone = new AbortController();
    response.once('close', () => gone.abort(new LongshoreError('canceled', 'the client went away')));
    try {
      const { path, query, minor } = split(raw.url ?? '/');
      const found = this.#router.match(raw.method ?? 'GET', path);
      if (found === undefined || found === 'method-not-allowed') throw new LongshoreError('not-found', 'page not found', { object: path });
      response.setHeader('Ostype', 'linux');
      checkVersion(path === '/_ping' ? MAX_MINOR : minor);
      response.setHeader('Docker-Experimental', 'false');
      const request = new ApiRequest(raw, found.params, query, minor ?? MAX_MINOR, gone.signal);
      if (found.route.handler === undefined) {
        throw new LongshoreError('invalid', `${path} wants the connection to be upgraded`, { object: path });
      }
      const answer = await found.route.handler(request, response);
      if (answer !== undefined) sendJson(response, answer.status ?? 200, answer.body);
    } catch (error) {
      if (gone.signal.aborted) return;
      this.#note(raw, error);
      // Clients from before JSON errors (1.24) read text.
      const { minor } = split(raw.url ?? '/');
      if (minor !== undefined && minor < MIN_MINOR && !response.headersSent) {
        response
          .writeHead(statusOf(error), { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' })
          .end(`${textOf(error)}\n`);
      } else {
        sendError(response, error);
      }
    } finally {
      // A body that nobody wanted would block the connection for the next request.
      if (!raw.readableEnded) raw.resume();
    }
  }

  /** What no client could have known; where it came from, unless it was thrown on purpose. */
  #note(raw: IncomingMessage, error: unknown): void {
    if (statusOf(error) !== 500) return;
    const what = { method: raw.method, url: raw.url, error: messageOf(error) };
    if (error instanceof LongshoreError) this.#options.logger.warn('a request failed', what);
    else this.#options.logger.error('a request failed', { ...what, stack: error instanceof Error ? error.stack : undefined });
  }

  async #hijack(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort(new LongshoreError('canceled', 'the client went away')));
    socket.on('error', () => socket.destroy()); // a client that went away; whoever reads or writes sees the close
    let accepted = false;
    const connection: Hijacked = {
      socket,
      take() {
        accepted = true;
      },
      accept(contentType) {
        accepted = true;
        socket.write(
          `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: ${raw.headers.upgrade ?? 'tcp'}\r\nApi-Version: 1.${MAX_MINOR}\r\nServer: ${SERVER}\r\n\r\n`,
        );
      },
    };
    try {
      const { path, query, minor } = split(raw.url ?? '/');
      checkVersion(minor);
      const found = this.#router.match(raw.method ?? 'GET', path);
      if (typeof found !== 'object' || found.route.upgrade === undefined) {
        throw new LongshoreError('invalid', 'this can not be upgraded', { object: path });
      }
      const body = await takeBody(socket, head, Number(raw.headers['content-length'] ?? 0));
      await found.route.upgrade(new ApiRequest(raw, found.params, query, minor ?? MAX_MINOR, gone.signal, body), connection);
    } catch (error) {
      if (socket.destroyed) return;
      this.#note(raw, error);
      if (accepted) {
        socket.destroy();
        return;
      }
      // One answer, and the end: what follows on this connection is nobody's request.
      const text = JSON.stringify({ message: textOf(error) }) + '\n';
      socket.end(
        `HTTP/1.1 ${statusOf(error)} Error\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\nApi-Version: 1.${MAX_MINOR}\r\n\r\n${text}`,
      );
    }
  }
}

const SERVER = 'Longshore (linux)';

function split(url: string): { path: string; query: URLSearchParams; minor: number | undefined } {
  const question = url.indexOf('?');
  const whole = question < 0 ? url : url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
  const versioned = VERSIONED.exec(whole);
  if (versioned === null) return { path: whole, query, minor: undefined };
  return { path: versioned[3]!, query, minor: versioned[1] === '1' ? Number(versioned[2]) : Number(versioned[1]) * 1000 };
}

function checkVersion(minor: number | undefined): void {
  if (minor === undefined) return;
  if (minor > MAX_MINOR) {
    throw new LongshoreError('invalid', `client version 1.${minor} is too new. Maximum supported API version is 1.${MAX_MINOR}`);
  }
  if (minor < MIN_MINOR) {
    throw new LongshoreError(
      'invalid',
      `client version 1.${minor} is too old. Minimum supported API version is 1.${MIN_MINOR}, please upgrade your client to a newer version`,
    );
  }
}

/** Reads the body of an upgraded request, which Node leaves in the stream; what follows is put back. */
async function takeBody(socket: Duplex, head: Buffer, length: number): Promise<Buffer> {
  if (length > LARGEST_HIJACKED_BODY_BYTES) throw new LongshoreError('too-large', 'the body of the request is too large');
  let data = head;
  while (data.length < length) {
    const piece = await new Promise<Buffer | undefined>((resolve) => {
      const onData = (chunk: Buffer): void => {
        socket.pause();
        socket.removeListener('end', onEnd);
        resolve(chunk);
      };
      const onEnd = (): void => {
        socket.removeListener('data', onData);
        resolve(undefined);
      };
      socket.once('data', onData);
      socket.once('end', onEnd);
      socket.resume();
    });
    if (piece === undefined) throw new LongshoreError('invalid', 'the request ended before its body did');
    data = Buffer.concat([data, piece]);
  }
  if (data.length > length) socket.unshift(data.subarray(length));
  return data.subarray(0, length);
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ECONNREFUSED')) resolve(false);
      else reject(error);
    });
  });
}

