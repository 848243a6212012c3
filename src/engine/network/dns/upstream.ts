import { createSocket } from 'node:dgram';
import { readFile, stat } from 'node:fs/promises';
import { connect, isIP, isIPv6 } from 'node:net';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError } from '../../../lib/errors.ts';

const PORT = 53;
const TRY_MS = 2500;
/** How often resolv.conf is looked at again. */
const FRESH_MS = 5000;
/** Queries under way; each holds a socket. */
const MOST = 512;
const LONGEST_ANSWER = 65_535;

/** Asks other servers, with the query's bytes as they are. */
export class Upstream {
  #clock: Clock;
  #path: string;
  #servers: readonly string[] = [];
  #version = '';
  #checkedAt = -Infinity;
  #reading: Promise<void> | undefined;
  #running = 0;

  /** @param path the host's resolv.conf */
  constructor(clock: Clock, path: string) {
    this.#clock = clock;
    this.#path = path;
  }

  /** The servers of the host's resolv.conf, which is read again when it has changed. */
  async hostServers(): Promise<readonly string[]> {
    const now = this.#clock.monotonic();
    if (now - this.#checkedAt >= FRESH_MS) {
      this.#checkedAt = now;
      this.#reading = this.#read();
    }
    await this.#reading;
    return this.#servers;
  }

  async #read(): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.#version) return;
      this.#servers = nameservers(await readFile(this.#path, 'utf8'));
      this.#version = version;
    } catch {
      this.#servers = []; // no file: no servers, and every forwarded query fails
      this.#version = '';
    }
  }

  /** The first answer of the servers, asked one after the other. @throws `unavailable` when none answers, `exhausted` when too many queries are under way */
  async ask(query: Buffer, servers: readonly string[], transport: 'udp' | 'tcp'): Promise<Buffer> {
    if (this.#running >= MOST) throw new LongshoreError('exhausted', 'too many DNS queries are under way');
    this.#running++;
    try {
      for (const server of servers) {
        const answer = await (transport === 'udp' ? this.#udp(query, server) : this.#tcp(query, server));
        if (answer) return answer;
      }
      throw new LongshoreError('unavailable', servers.length === 0 ? 'there is no DNS server to ask' : `no DNS server answers: ${servers.join(', ')}`);
    } finally {
      this.#running--;
    }
  }

  /** A socket, and so a random port, for each query: nobody who doesn't see it can answer in the server's place. */
  #udp(query: Buffer, server: string): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
      let settled = false;
      const settle = (answer: Buffer | undefined): void => {
        if (settled) return;
        settled = true;
        cancel();
        socket.close();
        resolve(answer);
      };
      const cancel = this.#clock.after(TRY_MS, () => settle(undefined));
      socket.on('error', () => settle(undefined)); // unreachable, or refused: the next one is asked
      socket.on('message', (data) => {
        if (data.length >= 12 && data.readUInt16BE(0) === query.readUInt16BE(0)) settle(data);
      });
      socket.connect(PORT, server, () => {
        if (!settled) socket.send(query);
      });
    });
  }

  #tcp(query: Buffer, server: string): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = connect(PORT, server);
      const chunks: Buffer[] = [];
      let size = 0;
      const settle = (answer: Buffer | undefined): void => {
        cancel();
        socket.destroy();
        resolve(answer);
      };
      const cancel = this.#clock.after(TRY_MS, () => settle(undefined));
      socket.on('error', () => settle(undefined));
      socket.on('end', () => settle(undefined));
      socket.on('data', (chunk) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > LONGEST_ANSWER + 2) settle(undefined);
        if (size < 2) return;
        const data = Buffer.concat(chunks);
        const length = data.readUInt16BE(0);
        if (data.length >= 2 + length) settle(data.subarray(2, 2 + length));
      });
      socket.write(framed(query));
    });
  }
}

/** A message as TCP carries it: with its length before it. */
export function framed(message: Buffer): Buffer {
  const out = Buffer.alloc(2 + message.length);
  out.writeUInt16BE(message.length, 0);
  out.set(message, 2);
  return out;
}

/** The addresses in a resolv.conf (resolv.conf(5)); the first three count. */
export function nameservers(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const [word, value] = line.trim().split(/\s+/);
    if (word === 'nameserver' && value !== undefined && isIP(value.replace(/%.*$/, ''))) found.push(value);
  }
  return found.slice(0, 3);
}
