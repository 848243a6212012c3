import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { parseAddress } from '../../../host/address.ts';
import type { Logger } from '../../../lib/log.ts';
import {
  encodeName,
  isStandardQuery,
  parseQuery,
  RCODE_FAILURE,
  RCODE_FORMAT,
  RCODE_NOT_IMPLEMENTED,
  RCODE_OK,
  respond,
  reverseAddress,
  TYPE_A,
  TYPE_PTR,
} from './message.ts';
import type { Answer } from './message.ts';
import { framed } from './upstream.ts';
import type { Upstream } from './upstream.ts';

/** Docker's. Names of containers change, but their clients have always lived with this. */
const TTL_SECONDS = 600;
const UDP_BYTES = 512;
const TCP_BYTES = 65_535;
const IDLE_MS = 10_000;
const MOST_CONNECTIONS = 256;

/** What the server knows about who asks, by the address of a container. */
export interface Directory {
  /** Addresses of a name; undefined: not one of ours. */
  lookup(client: string, name: string): readonly string[] | undefined;
  /** The name of an address on the client's networks. */
  reverse(client: string, address: string): string | undefined;
  /** Servers to ask instead of the host's; `none` where nothing may leave. */
  upstream(client: string): readonly string[] | 'host' | 'none';
}

/**
 * The resolver of all containers of an instance. Their queries to 127.0.0.11 leave by their
 * link, and are redirected here by the host's nft table, with their own address as sender, by which we know who asks. Nothing of it lives in the
 * containers, so they neither notice nor need a restart of ours.
 */
export class DnsServer {
  readonly port: number;
  #udp: UdpSocket;
  #tcp: Server;
  #directory: Directory;
  #upstream: Upstream;
  #logger: Logger;
  #connections = new Set<Socket>();
  #turn = 0;

  private constructor(udp: UdpSocket, tcp: Server, port: number, directory: Directory, upstream: Upstream, logger: Logger) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = port;
    this.#directory = directory;
    this.#upstream = upstream;
    this.#logger = logger;
    udp.on('message', (data, from) => {
      void this.#answer(data, from.address, 'udp').then((reply) => {
        // Who asked may be gone.
        if (reply) udp.send(reply, from.port, from.address, () => {});
      });
    });
    udp.on('error', (error) => this.#logger.warn('the resolver’s socket failed', { error: error.message }));
    tcp.on('connection', (socket) => this.#serve(socket));
  }

  /** Listens on 127.0.0.1, both UDP and TCP, on `port` if that is free (redirections in place stay right), else on any. */
  static async listen(options: {
    readonly port: number;
    readonly directory: Directory;
    readonly upstream: Upstream;
    readonly logger: Logger;
  }): Promise<DnsServer> {
    for (let port = options.port, tries = 0; ; tries++, port = 0) {
      const tcp = createServer();
      const udp = createSocket('udp4');
      try {
        tcp.listen({ port, host: '127.0.0.1' });
        await once(tcp, 'listening');
        port = (tcp.address() as AddressInfo).port;
        udp.bind({ port, address: '127.0.0.1' });
        await once(udp, 'listening');
        tcp.unref();
        udp.unref();
        return new DnsServer(udp, tcp, port, options.directory, options.upstream, options.logger);
      } catch (error) {
        tcp.close();
        udp.close();
        if (tries >= 8) throw error;
      }
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([new Promise<void>((resolve) => this.#udp.close(() => resolve())), new Promise<void>((resolve) => this.#tcp.close(() => resolve()))]);
  }

  #serve(socket: Socket): void {
    if (this.#connections.size >= MOST_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.unref();
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    let rest: Buffer = Buffer.alloc(0);
    let busy = Promise.resolve();
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        const query = rest.subarray(2, end);
        rest = rest.subarray(end);
        // One after the other, and reading stops meanwhile: a client can't pile up work.
        socket.pause();
        busy = busy.then(async () => {
          const reply = await this.#answer(query, socket.remoteAddress ?? '', 'tcp');
          if (!reply) socket.destroy();
          else socket.write(framed(reply));
          socket.resume();
        });
      }
    });
  }

  async #answer(data: Buffer, client: string, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const query = parseQuery(data);
    const most = transport === 'udp' ? UDP_BYTES : TCP_BYTES;
    if (!query) {
      if (data.length < 12 || data.readUInt16BE(2) & 0x8000) return undefined;
      const refusal = Buffer.alloc(12);
      refusal.writeUInt16BE(data.readUInt16BE(0), 0);
      refusal.writeUInt16BE(0x8000 | RCODE_FORMAT, 2);
      return refusal;
    }
    if (!isStandardQuery(query)) return respond(data, query, RCODE_NOT_IMPLEMENTED, [], 0, most);
    const answers = this.#own(client, query.name, query.type);
    if (answers) return respond(data, query, RCODE_OK, answers, TTL_SECONDS, most);
    try {
      const servers = this.#directory.upstream(client);
      if (servers === 'none') return respond(data, query, RCODE_FAILURE, [], 0, most);
      return await this.#upstream.ask(data, servers === 'host' ? await this.#upstream.hostServers() : servers, transport);
    } catch (error) {
      this.#logger.debug('a DNS query was not answered', { name: query.name, error: String(error) });
      return respond(data, query, RCODE_FAILURE, [], 0, most);
    }
  }

  /** What we know ourselves; an empty list for a known name that has nothing of that type. */
  #own(client: string, name: string, type: number): Answer[] | undefined {
    const address = reverseAddress(name);
    if (address !== undefined) {
      const found = this.#directory.reverse(client, address);
      if (found === undefined) return undefined;
      return type === TYPE_PTR ? [{ type: TYPE_PTR, data: encodeName(found) }] : [];
    }
    const addresses = this.#directory.lookup(client, name);
    if (!addresses) return undefined;
    if (type !== TYPE_A) return [];
    // In turn, so that clients that take the first spread over all.
    const start = this.#turn++ % Math.max(1, addresses.length);
    return [...addresses.slice(start), ...addresses.slice(0, start)].map((text) => ({ type: TYPE_A, data: parseAddress(text) }));
  }
}
