import type { Socket } from 'node:net';

/** Takes one piece of output; it may pause the socket and resume it later. */
export type TakePiece = (name: 'stdout' | 'stderr', socket: Socket, data: Buffer) => void;

/** The most that is kept before anybody wants the output. What the process writes beyond it stays in its pipes. */
const EARLY_BYTES = 64 * 1024;
/** A complaint is a few lines; what is beyond so many pieces of it is dropped. */
const MOST_PIECES = 64;

/**
 * The pipes to which a process writes its output, read from the moment in which it starts. Whoever began later would find both full at
 * once, and could not tell what was written first: an error, or the output that followed it.
 */
export class OutputPipes {
  /** Both are at their end, or were closed by us. */
  readonly closed: Promise<void>;
  readonly #sockets: readonly Socket[];
  #early: (readonly ['stdout' | 'stderr', Socket, Buffer])[] = [];
  #earlyBytes = 0;
  #take: TakePiece | undefined;

  constructor(stdout: Socket, stderr: Socket) {
    this.#sockets = [stdout, stderr];
    this.closed = Promise.all(this.#sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())))).then(
      () => undefined,
    );
    this.#follow('stdout', stdout);
    this.#follow('stderr', stderr);
  }

  get destroyed(): boolean {
    return this.#sockets.every((socket) => socket.destroyed);
  }

  /** Gives every piece to `take` from now on; those that came before first, once the caller has come to rest. */
  read(take: TakePiece): void {
    queueMicrotask(() => {
      const early = this.#early;
      this.#early = [];
      this.#take = take;
      if (this.#earlyBytes >= EARLY_BYTES) for (const socket of this.#sockets) socket.resume();
      for (const [name, socket, data] of early) take(name, socket, data);
    });
  }

  /** What was written to stderr until its end, where nobody reads: the complaint of a runtime that could not start the process. */
  async complaint(): Promise<string> {
    const pieces = this.#early.filter(([name]) => name === 'stderr').map(([, , data]) => data);
    this.#take = (name, _socket, data) => {
      if (name === 'stderr' && pieces.length < MOST_PIECES) pieces.push(data);
    };
    const [stdout, stderr] = this.#sockets;
    stdout!.destroy();
    stderr!.resume();
    await this.closed;
    return Buffer.concat(pieces).toString();
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #follow(name: 'stdout' | 'stderr', socket: Socket): void {
    socket.on('end', () => socket.destroy());
    socket.on('data', (data: Buffer) => {
      if (this.#take !== undefined) {
        this.#take(name, socket, data);
        return;
      }
      this.#early.push([name, socket, data]);
      this.#earlyBytes += data.length;
      if (this.#earlyBytes >= EARLY_BYTES) for (const each of this.#sockets) each.pause();
    });
  }
}
