import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RemoteStreams, WantedStreams } from './channels.ts';
import { readSize } from './remote-websocket.ts';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';

const PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
/** How long the client may take to open the streams that it asked for, in milliseconds. */
const STREAMS_TIMEOUT_MS = 30_000;

/** Header values of a protocol list, over one or more lines. */
export function streamProtocols(request: IncomingMessage): string[] {
  const header = request.headers['x-stream-protocol-version'];
  return (Array.isArray(header) ? header : [header ?? '']).flatMap((line) => line.split(',')).map((name) => name.trim()).filter((name) => name !== '');
}

/** Answers the upgrade to SPDY/3.1. */
export function acceptSpdy(socket: Duplex, protocol: string): void {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
}

export function refuseProtocol(socket: Duplex, offered: readonly string[], known: readonly string[]): void {
  socket.end(
    `HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain\r\n${known.map((name) => `X-Accepted-Stream-Protocol-Versions: ${name}\r\n`).join('')}\r\nunable to upgrade: client offered ${offered.join(', ').slice(0, 200) || 'nothing'}, known are ${known.join(', ')}\n`,
  );
}

/**
 * Exec and attach over SPDY/3.1 (kubectl before 1.31, and those who turn WebSockets off): one SPDY stream a channel, named by its `streamtype`.
 * @returns undefined when the upgrade was refused, or the streams did not come
 */
export async function openSpdyStreams(request: IncomingMessage, socket: Duplex, head: Buffer, wanted: WantedStreams): Promise<RemoteStreams | undefined> {
  const offered = streamProtocols(request);
  const protocol = PROTOCOLS.find((name) => offered.includes(name)) ?? (offered.length === 0 ? 'channel.k8s.io' : undefined);
  if (protocol === undefined) {
    refuseProtocol(socket, offered, PROTOCOLS);
    return undefined;
  }
  const resizes = wanted.tty && protocol !== 'channel.k8s.io' && protocol !== 'v2.channel.k8s.io';
  const expected = [
    'error',
    ...(wanted.stdin ? ['stdin'] : []),
    ...(wanted.stdout ? ['stdout'] : []),
    ...(wanted.stderr && !wanted.tty ? ['stderr'] : []),
    ...(resizes ? ['resize'] : []),
  ];
  const streams = new Map<string, SpdyStream>();
  let complete = (): void => {};
  const all = new Promise<void>((resolve) => (complete = resolve));
  if (head.length > 0) socket.unshift(head);
  acceptSpdy(socket, protocol);
  const connection = new SpdyConnection(socket, (stream) => {
    streams.set(stream.headers.get('streamtype') ?? '', stream);
    if (expected.every((name) => streams.has(name))) complete();
  });
  const timer = setTimeout(() => connection.destroy(), STREAMS_TIMEOUT_MS);
  await Promise.race([all, connection.closed]);
  clearTimeout(timer);
  if (!expected.every((name) => streams.has(name))) return undefined;

  // What the client will never read or write on must not hold the connection.
  for (const name of ['error', 'stdout', 'stderr']) streams.get(name)?.resume();
  const stdin = streams.get('stdin');
  return {
    stdin,
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    onResize(listener) {
      streams.get('resize')?.on('data', (data: Buffer) => {
        for (const line of data.toString().split('\n')) {
          const size = line.trim() === '' ? undefined : readSize(Buffer.from(line));
          if (size) listener(size.columns, size.rows);
        }
      });
    },
    async finish(status) {
      await Promise.all(['stdout', 'stderr'].map((name) => finished(streams.get(name))));
      const text = protocol.startsWith('v4') ? JSON.stringify(status) : status.status === 'Success' ? '' : status.message ?? '';
      const error = streams.get('error')!;
      if (text !== '') error.write(text);
      await finished(error);
      connection.end();
    },
    closed: connection.closed,
    destroy: () => connection.destroy(),
  };
}

function finished(stream: SpdyStream | undefined): Promise<void> {
  if (!stream || stream.destroyed || stream.writableFinished) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.end(() => resolve());
  });
}
