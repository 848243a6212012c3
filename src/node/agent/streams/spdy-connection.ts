import { Duplex } from 'node:stream';
import { dataFrame, goawayFrame, pingFrame, rstFrame, SpdyReader, SynReplyWriter, type SpdyFrame } from './spdy-frames.ts';

const LARGEST_WRITE = 32 * 1024;
const MOST_STREAMS = 1000;
const STATUS = { REFUSED_STREAM: 3, CANCEL: 5 } as const;

/** One SPDY stream, opened by the client. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #send: (frame: Buffer, done: (error?: Error | null) => void) => void;
  readonly #resume: () => void;
  #reset = false;

  constructor(id: number, headers: ReadonlyMap<string, string>, send: (frame: Buffer, done: (error?: Error | null) => void) => void, resume: () => void) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#send = send;
    this.#resume = resume;
  }

  override _read(): void {
    this.#resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    for (let at = 0; at + LARGEST_WRITE < chunk.length; at += LARGEST_WRITE) {
      this.#send(dataFrame(this.id, chunk.subarray(at, at + LARGEST_WRITE), false), () => {});
    }
    this.#send(dataFrame(this.id, chunk.subarray(Math.floor(Math.max(0, chunk.length - 1) / LARGEST_WRITE) * LARGEST_WRITE), false), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(dataFrame(this.id, Buffer.alloc(0), true), done);
  }

  /** Given up before all was written: the client is told, or it would wait for the rest for ever. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.writableFinished && !this.#reset) {
      this.#send(rstFrame(this.id, STATUS.CANCEL), () => {});
    } // With the connection gone, the stream is gone too.
    done(error);
  }

  /** The client gave it up. */
  reset(): void {
    this.#reset = true;
    this.destroy();
  }
}

/**
 * The server's end of a SPDY/3.1 connection over a socket that was upgraded.
 * kubectl's library knows no flow control, so back-pressure is the socket's own: a stream
 * that nobody reads stops the connection.
 */
export class SpdyConnection {
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #reader = new SpdyReader();
  readonly #replies = new SynReplyWriter();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #onStream: (stream: SpdyStream) => void;
  #last = 0;
  #unblock: (() => void) | undefined;

  constructor(socket: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#socket = socket;
    this.#onStream = onStream;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const stream of this.#streams.values()) stream.destroy();
        this.#streams.clear();
        this.#reader.close();
        this.#unblock?.();
        resolve();
      });
    });
    socket.on('error', () => socket.destroy()); // told by close
    void this.#run();
  }

  /** Says goodbye once all that was written has left. */
  end(): void {
    if (this.#socket.destroyed) return;
    this.#socket.end(goawayFrame(this.#last));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #run(): Promise<void> {
    try {
      for await (const bytes of this.#socket as AsyncIterable<Buffer>) {
        for await (const frame of this.#reader.read(bytes)) {
          if (!this.#handle(frame)) await new Promise<void>((resolve) => (this.#unblock = resolve));
        }
      }
    } catch {
      // Broken bytes or a broken connection: either way it is over, and `closed` says so.
    }
    this.#socket.destroy();
  }

  /** @returns false when the reader has to wait until a stream wants more */
  #handle(frame: SpdyFrame): boolean {
    switch (frame.type) {
      case 'syn-stream': {
        if (frame.stream % 2 === 0 || frame.stream <= this.#last || this.#streams.size >= MOST_STREAMS) {
          this.#socket.write(rstFrame(frame.stream, STATUS.REFUSED_STREAM));
          return true;
        }
        this.#last = frame.stream;
        const stream = new SpdyStream(
          frame.stream,
          frame.headers,
          (out, done) => void (this.#socket.destroyed ? done(new Error('the connection is closed')) : this.#socket.write(out, done)),
          () => {
            this.#unblock?.();
            this.#unblock = undefined;
          },
        );
        stream.on('error', () => stream.destroy());
        stream.once('close', () => this.#streams.delete(frame.stream));
        this.#streams.set(frame.stream, stream);
        this.#socket.write(this.#replies.frame(frame.stream));
        if (frame.fin) stream.push(null);
        this.#onStream(stream);
        return true;
      }
      case 'data': {
        const stream = this.#streams.get(frame.stream);
        if (!stream || stream.readableEnded) return true;
        const more = frame.data.length === 0 || stream.push(frame.data);
        if (frame.fin) stream.push(null);
        return more || frame.fin;
      }
      case 'rst-stream':
        this.#streams.get(frame.stream)?.reset();
        return true;
      case 'ping':
        // Odd ids are the client's questions; even ones answer ours, and we ask none.
        if (frame.id % 2 === 1) this.#socket.write(pingFrame(frame.id));
        return true;
      default: // goaway: the socket's end follows
        return true;
    }
  }
}
