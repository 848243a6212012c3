import type { IncomingMessage } from 'node:http';
import { PassThrough, Writable, type Duplex } from 'node:stream';
import type { RemoteStreams, WantedStreams } from './channels.ts';
import { offeredProtocols, WebSocketConnection } from '../../../lib/websocket.ts';

const CHANNEL = { STDIN: 0, STDOUT: 1, STDERR: 2, ERROR: 3, RESIZE: 4, CLOSE: 255 } as const;
/** In the order in which we like them; the empty one is the oldest, without Status and without resizing. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];

/**
 * Exec and attach over a WebSocket (k8s.io/apimachinery remotecommand): the
 * first byte of a message names its channel; in v5, 255 and a channel's number closes that channel.
 * @returns undefined when the client offers no protocol that we speak: the request was answered with 400
 */
export function openWebSocketStreams(request: IncomingMessage, socket: Duplex, head: Buffer, wanted: WantedStreams): RemoteStreams | undefined {
  const offered = offeredProtocols(request);
  const protocol = PROTOCOLS.find((name) => offered.includes(name));
  if (protocol === undefined && offered.length > 0) {
    socket.end(
      `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nnone of the sub-protocols is known: ${offered.join(', ').slice(0, 200)}; known are ${PROTOCOLS.join(', ')}\n`,
    );
    return undefined;
  }
  const base64 = protocol?.includes('base64') ?? false;
  const stdin = wanted.stdin ? new PassThrough() : undefined;
  let resized: (columns: number, rows: number) => void = () => {};
  let early: { readonly columns: number; readonly rows: number } | undefined;

  const connection = new WebSocketConnection(request, socket, head, protocol, (message) => {
    // In the base64 protocols the channel is a digit.
    const channel = base64 ? message[0]! - 48 : message[0];
    const data = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
    if (channel === CHANNEL.STDIN && stdin && !stdin.writableEnded) return write(stdin, data);
    if (channel === CHANNEL.CLOSE && data[0] === CHANNEL.STDIN) stdin?.end();
    if (channel === CHANNEL.RESIZE) {
      const size = readSize(data);
      if (size) {
        early = size;
        resized(size.columns, size.rows);
      }
    }
    return undefined;
  });
  void connection.closed.then(() => stdin?.end());

  const send = (channel: number, data: Buffer): Promise<void> =>
    base64
      ? connection.send(Buffer.from(String(channel)), Buffer.from(data.toString('base64')))
      : connection.send(Buffer.from([channel]), data);
  const output = (channel: number): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        send(channel, chunk).then(() => done(), done);
      },
    });
  return {
    stdin,
    stdout: wanted.stdout ? output(CHANNEL.STDOUT) : undefined,
    stderr: wanted.stderr && !wanted.tty ? output(CHANNEL.STDERR) : undefined,
    onResize(listener) {
      resized = listener;
      if (early) listener(early.columns, early.rows);
    },
    async finish(status) {
      // The old protocols know only words, and silence for success.
      const text = protocol?.startsWith('v') ? JSON.stringify(status) : status.status === 'Success' ? '' : status.message ?? '';
      if (text !== '') await send(CHANNEL.ERROR, Buffer.from(text));
      await connection.end();
    },
    closed: connection.closed,
    destroy: () => connection.destroy(),
  };
}

/** `{"Width":80,"Height":24}`. */
export function readSize(data: Buffer): { readonly columns: number; readonly rows: number } | undefined {
  try {
    const { Width, Height } = JSON.parse(data.toString()) as { Width?: unknown; Height?: unknown };
    return Number.isInteger(Width) && Number.isInteger(Height) && Number(Width) > 0 && Number(Height) > 0
      ? { columns: Number(Width), rows: Number(Height) }
      : undefined;
  } catch {
    return undefined; // not a size: nothing to resize to
  }
}

function write(stream: Writable, data: Buffer): void | Promise<void> {
  if (stream.write(data)) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.once('drain', done).once('close', done);
  });
}
