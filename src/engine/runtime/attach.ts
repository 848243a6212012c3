import { Writable } from 'node:stream';
import type { Socket } from 'node:net';
import type { Undo } from '../../lib/undo.ts';
import type { AttachedStreams } from './runtime.ts';
import { connectSeqpacket } from './seqpacket.ts';

type Listener = (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>;

/** conmon's packets: one byte that names the stream, then at most 8 KiB. */
const PACKET_BYTES = 64 * 1024;
const STDERR = 3;
/** conmon reads a packet of standard input into a buffer of this size, and what is beyond is lost. */
const STDIN_PACKET_BYTES = 8 * 1024;

/**
 * A connection to a supervisor's attach socket. Reading begins with the first listener; while a
 * listener's promise is pending nothing more is read, which in the end holds the container's own writes back.
 */
export class Attachment implements AttachedStreams {
  readonly stdin: Writable | undefined;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #buffer = Buffer.allocUnsafe(PACKET_BYTES);
  readonly #listeners = new Set<Listener>();
  #reading = false;

  /** @throws the system's error when the supervisor has gone */
  constructor(folder: string, options: { readonly stdin: boolean; readonly socketName?: string }) {
    this.#socket = connectSeqpacket(folder, options.socketName ?? 'attach', this.#buffer, (length) => this.#deliver(length));
    this.closed = new Promise((resolve) => {
      this.#socket.once('end', () => {
        this.#socket.destroy();
        resolve();
      });
      // The supervisor ended with our input unread: its output has come to an end all the same.
      this.#socket.on('error', () => this.#socket.destroy());
      this.#socket.once('close', () => resolve());
    });
    this.stdin = options.stdin ? stdinOf(this.#socket) : undefined;
  }

  onOutput(listener: Listener): Undo {
    this.#listeners.add(listener);
    if (!this.#reading) {
      this.#reading = true;
      this.#socket.resume();
    }
    return () => {
      this.#listeners.delete(listener);
    };
  }

  detach(): void {
    this.#socket.destroy();
  }

  #deliver(length: number): boolean {
    if (length < 2) return true;
    const stream = this.#buffer[0] === STDERR ? 'stderr' : 'stdout';
    // The socket's buffer is used again for the next packet.
    const data = Buffer.from(this.#buffer.subarray(1, length));
    let pending: Promise<void>[] | undefined;
    for (const listener of this.#listeners) {
      const wait = listener(stream, data);
      if (wait !== undefined) (pending ??= []).push(wait);
    }
    if (pending === undefined) return true;
    void Promise.allSettled(pending).then(() => {
      if (!this.#socket.destroyed) this.#socket.resume();
    });
    return false;
  }
}

/** Standard input as packets that the supervisor takes whole. */
function stdinOf(socket: Socket): Writable {
  const input = new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      let at = 0;
      const next = (error?: Error | null): void => {
        if (error || at >= chunk.length) {
          done(error);
          return;
        }
        const piece = chunk.subarray(at, (at += STDIN_PACKET_BYTES));
        socket.write(piece, next);
      };
      next();
    },
    final(done) {
      if (socket.destroyed) done();
      else socket.end(done);
    },
  });
  // The container ended without reading its input: nobody is left to tell.
  input.on('error', () => undefined);
  socket.once('close', () => input.destroy());
  return input;
}
