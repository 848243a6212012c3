import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { readFile } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';

const TIMEOUT_MS = 2000;

/**
 * Asks the resolvers in turn by UDP until one answers. A socket a query: the
 * source port is a fresh one each time, which makes forged answers hard.
 * @throws Error when none answered
 */
export async function forwardUdp(packet: Buffer, upstreams: readonly string[]): Promise<Buffer> {
  return inTurn(upstreams, (host, port) => new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const done = (error: Error | undefined, reply?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      if (reply) resolve(reply);
      else reject(error ?? new Error('no answer'));
    };
    const timer = setTimeout(() => done(new Error(`${host} did not answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    socket.once('error', (error) => done(error));
    socket.on('message', (reply) => {
      if (reply.length >= 12 && reply.readUInt16BE(0) === packet.readUInt16BE(0)) done(undefined, reply);
    });
    socket.connect(port, host, () => socket.send(packet, (error) => error && done(error)));
  }));
}

/** The same by TCP. @throws Error when none answered */
export async function forwardTcp(packet: Buffer, upstreams: readonly string[]): Promise<Buffer> {
  return inTurn(upstreams, (host, port) => new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    let reply = Buffer.alloc(0);
    socket.on('timeout', () => socket.destroy(new Error(`${host} did not answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${host} closed the connection`)));
    socket.on('connect', () => {
      const size = Buffer.alloc(2);
      size.writeUInt16BE(packet.length);
      socket.write(Buffer.concat([size, packet]));
    });
    socket.on('data', (data) => {
      reply = Buffer.concat([reply, data]);
      if (reply.length < 2 || reply.length < 2 + reply.readUInt16BE(0)) return;
      resolve(reply.subarray(2, 2 + reply.readUInt16BE(0)));
      socket.destroy();
    });
  }));
}

async function inTurn(upstreams: readonly string[], ask: (host: string, port: number) => Promise<Buffer>): Promise<Buffer> {
  let last: unknown;
  for (const upstream of upstreams) {
    const [host = '', port = '53'] = upstream.split(':');
    try {
      return await ask(host, Number(port));
    } catch (error) {
      last = error;
    }
  }
  throw last instanceof Error ? last : new Error('there is no resolver');
}

/** The machine's own resolvers, IPv4, from resolv.conf (5); none when there is no such file. `except`: our own addresses, which would make a loop. */
export async function systemResolvers(path: string, except: readonly string[]): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return [...text.matchAll(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/gm)]
    .map(([, address]) => address!)
    .filter((address) => !except.includes(address))
    .slice(0, 3);
}
