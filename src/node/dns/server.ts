import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Socket as TcpSocket } from 'node:net';
import { LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { forwardTcp, forwardUdp } from './forward.ts';
import { RCODE, TYPE, readQuery, writeAnswer, type Query } from './message.ts';
import type { ClusterZone } from './zone.ts';

export interface DnsOptions {
  readonly zone: ClusterZone;
  /** Where to listen; UDP and TCP. */
  readonly address: string;
  readonly port?: number;
  /** Resolvers for all other names, `address` or `address:port`, asked in turn. */
  readonly upstreams: readonly string[];
  readonly logger: Logger;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Queries to upstream resolvers that may be under way at once; more are refused. */
const MAX_FORWARDED = 1000;
const TCP_IDLE_MS = 10_000;
const LONGEST_TCP_QUERY = 4096;

/** Answers for the cluster's zone, forwards the rest. */
export async function startDns({ zone, address, port = 53, upstreams, logger }: DnsOptions): Promise<DnsServer> {
  let forwarded = 0;

  /** The answer to one packet; undefined when it deserves none. `limit`: the transport's largest answer, in bytes. */
  async function answer(packet: Buffer, limit: (query: Query) => number, forward: typeof forwardUdp): Promise<Buffer | undefined> {
    const query = readQuery(packet);
    if (!query) return undefined;
    const refuse = (rcode: number): Buffer => writeAnswer(query, { rcode, authoritative: false, answers: [] }, limit(query));
    if (query.opcode !== 0) return refuse(RCODE.NOTIMP);
    const own = query.question.class === 1 ? zone.answer(query.question) : undefined;
    if (own) {
      const soa = {
        name: zone.domain,
        ttl: 5,
        type: 'SOA',
        primary: `ns.dns.${zone.domain}`,
        mailbox: `hostmaster.${zone.domain}`,
        serial: 1,
        minimum: 5,
      } as const;
      const target =
        own.records.length === 1 && own.records[0]!.type === 'CNAME' && query.question.type !== TYPE.CNAME
          ? own.records[0]!.target
          : undefined;
      const followed = target === undefined ? undefined : zone.answer({ ...query.question, name: target.toLowerCase() });
      return writeAnswer(query, {
        rcode: own.exists ? RCODE.NOERROR : RCODE.NXDOMAIN,
        authoritative: true,
        answers: [...own.records.map((record) => ({ ...record, name: query.question.asked })), ...(followed?.records ?? [])],
        authority: own.records.length === 0 ? [soa] : [],
      }, limit(query));
    }
    if (upstreams.length === 0 || forwarded >= MAX_FORWARDED) return refuse(upstreams.length === 0 ? RCODE.REFUSED : RCODE.SERVFAIL);
    forwarded++;
    try {
      return await forward(packet, upstreams);
    } catch (error) {
      logger.debug('no resolver answered', { name: query.question.name, error: messageOf(error) });
      return refuse(RCODE.SERVFAIL);
    } finally {
      forwarded--;
    }
  }

  const udp = await bindUdp(address, port);
  udp.on('error', (error) => logger.error('the DNS socket failed', { error: error.message }));
  udp.on('message', (packet, from) => {
    answer(packet, (query) => query.udpSize, forwardUdp).then(
      (reply) => reply && udp.send(reply, from.port, from.address, (error) => error && logger.debug('could not answer', { error: error.message })),
      (error: unknown) => logger.error('a query failed', { error: messageOf(error) }),
    );
  });

  const connections = new Set<TcpSocket>();
  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    socket.on('close', () => connections.delete(socket)).on('error', () => socket.destroy());
    let pending = Buffer.alloc(0);
    socket.on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 2) {
        const length = pending.readUInt16BE(0);
        if (length > LONGEST_TCP_QUERY) {
          socket.destroy();
          return;
        }
        if (pending.length < 2 + length) return;
        const packet = pending.subarray(2, 2 + length);
        pending = pending.subarray(2 + length);
        answer(packet, () => 65_535, forwardTcp).then(
          (reply) => {
            if (!reply) {
              socket.destroy();
              return;
            }
            const size = Buffer.alloc(2);
            size.writeUInt16BE(reply.length);
            socket.write(Buffer.concat([size, reply]));
          },
          (error: unknown) => {
            logger.error('a query failed', { error: messageOf(error) });
            socket.destroy();
          },
        );
      }
    });
  });
  const bound = udp.address().port;
  await new Promise<void>((resolve, reject) => tcp.once('error', reject).listen(bound, address, resolve));
  tcp.on('error', (error) => logger.error('the DNS listener failed', { error: error.message }));

  return {
    port: bound,
    async close() {
      for (const socket of connections) socket.destroy();
      await Promise.all([new Promise((resolve) => tcp.close(resolve)), new Promise<void>((resolve) => udp.close(() => resolve()))]);
    },
  };
}

function bindUdp(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) =>
      reject(
        new LongshoreError('conflict', `the cluster's name server can't listen at ${address}:${port}: ${error.message}`, {
          object: 'the name server',
          remedy: `See who has it: ss -lunp 'sport = :${port}'`,
          cause: error,
        }),
      ),
    );
    socket.bind(port, address, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
