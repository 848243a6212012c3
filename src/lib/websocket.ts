import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const LARGEST_MESSAGE = 1 << 24;
const OP = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** True for an HTTP request that wants to become a WebSocket (RFC 6455, section 4.2.1). */
export function isWebSocketRequest(request: IncomingMessage): boolean {
  return /\bwebsocket\b/i.test(request.headers.upgrade ?? '');
}

/** Sub-protocols that the client offers, in its order. */
export function offeredProtocols(request: IncomingMessage): string[] {
  return (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
}

/** The server's end of a WebSocket: whole messages in, whole messages out (RFC 6455). */
export class WebSocketConnection {
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  #pending: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #fragmentBytes = 0;
  #closing = false;

  /**
   * Answers the handshake. `protocol`: the sub-protocol that was chosen, or undefined for none.
   * @param onMessage may return a promise to hold the flow back
   */
  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string | undefined, onMessage: (data: Buffer) => void | Promise<void>) {
    this.#socket = socket;
    const accept = createHash('sha1')
      .update((request.headers['sec-websocket-key'] ?? '') + GUID)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`}\r\n`,
    );
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => socket.destroy()); // told by close
    void this.#run(head, onMessage);
  }

  /** Sends one binary message; resolves when the connection wants more. */
  send(...parts: readonly Buffer[]): Promise<void> {
    return this.#frame(OP.BINARY, parts);
  }

  /** Closes in good order. */
  async end(code = 1000): Promise<void> {
    if (this.#closing || this.#socket.destroyed) return;
    this.#closing = true;
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    await this.#frame(OP.CLOSE, [body]);
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #frame(opcode: number, parts: readonly Buffer[]): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const head = length < 126 ? Buffer.from([0x80 | opcode, length]) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
    if (length >= 65_536) {
      head[0] = 0x80 | opcode;
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    } else if (length >= 126) {
      head[0] = 0x80 | opcode;
      head[1] = 126;
      head.writeUInt16BE(length, 2);
    }
    const more = this.#socket.write(Buffer.concat([head, ...parts]));
    if (more) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.once('drain', done).once('close', done);
    });
  }

  async #run(head: Buffer, onMessage: (data: Buffer) => void | Promise<void>): Promise<void> {
    try {
      if (head.length > 0) await this.#take(head, onMessage);
      for await (const bytes of this.#socket as AsyncIterable<Buffer>) await this.#take(bytes, onMessage);
    } catch {
      // Broken frames or a broken connection: either way it is over, and `closed` says so.
    }
    this.#socket.destroy();
  }

  async #take(bytes: Buffer, onMessage: (data: Buffer) => void | Promise<void>): Promise<void> {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    for (;;) {
      const frame = this.#next();
      if (!frame) return;
      switch (frame.opcode) {
        case OP.PING:
          await this.#frame(OP.PONG, [frame.data]);
          break;
        case OP.CLOSE:
          await this.end(frame.data.length >= 2 ? frame.data.readUInt16BE(0) : 1000);
          return;
        case OP.CONTINUATION: case OP.TEXT: case OP.BINARY: {
          this.#fragments.push(frame.data);
          this.#fragmentBytes += frame.data.length;
          if (this.#fragmentBytes > LARGEST_MESSAGE) throw new Error('WebSocket message is too large');
          if (!frame.fin) break;
          const message = this.#fragments.length === 1 ? frame.data : Buffer.concat(this.#fragments);
          this.#fragments = [];
          this.#fragmentBytes = 0;
          await onMessage(message);
          break;
        }
        default: break;
      }
    }
  }

  /** The next whole frame, unmasked. @throws Error for a frame that a client must not send */
  #next(): { fin: boolean; opcode: number; data: Buffer } | undefined {
    const bytes = this.#pending;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (!(bytes[1]! & 0x80)) throw new Error('a client must mask its frames');
    if (bytes.length < 2 + extra + 4) return undefined;
    const length = extra === 2 ? bytes.readUInt16BE(2) : extra === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (length > LARGEST_MESSAGE) throw new Error('WebSocket frame is too large');
    const start = 2 + extra + 4;
    if (bytes.length < start + length) return undefined;
    const mask = bytes.subarray(2 + extra, start);
    const data = Buffer.from(bytes.subarray(start, start + length));
    for (let at = 0; at < data.length; at++) data[at]! ^= mask[at & 3]!;
    this.#pending = bytes.subarray(start + length);
    return { fin: (bytes[0]! & 0x80) !== 0, opcode: bytes[0]! & 15, data };
  }
}
