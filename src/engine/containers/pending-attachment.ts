import { PassThrough } from 'node:stream';
import type { Undo } from '../../lib/undo.ts';
import type { AttachedStreams } from '../runtime/runtime.ts';

type Listener = (stream: 'stdout' | 'stderr', data: Buffer) => void | Promise<void>;

/** An attachment asked for before the container runs, as `docker run` does: bound to the streams of its next run, so that not a byte is missed. */
export class PendingAttachment implements AttachedStreams {
  readonly stdin: PassThrough | undefined;
  readonly closed: Promise<void>;
  readonly #listeners = new Map<Listener, Undo | undefined>();
  readonly #onDetach: () => void;
  #close: () => void = () => undefined;
  #bound: AttachedStreams | undefined;

  constructor(openStdin: boolean, onDetach: () => void) {
    this.stdin = openStdin ? new PassThrough() : undefined;
    // The container may end before it has read its input.
    this.stdin?.on('error', () => undefined);
    this.closed = new Promise((resolve) => (this.#close = resolve));
    this.#onDetach = onDetach;
  }

  bind(streams: AttachedStreams): void {
    this.#bound = streams;
    for (const listener of this.#listeners.keys()) this.#listeners.set(listener, streams.onOutput(listener));
    if (this.stdin !== undefined && streams.stdin !== undefined) this.stdin.pipe(streams.stdin);
    void streams.closed.then(() => this.#end());
  }

  /** The run that it waited for will not come. */
  abandon(): void {
    this.#end();
  }

  onOutput(listener: Listener): Undo {
    this.#listeners.set(listener, this.#bound?.onOutput(listener));
    return () => {
      void this.#listeners.get(listener)?.();
      this.#listeners.delete(listener);
    };
  }

  detach(): void {
    this.#onDetach();
    this.#bound?.detach();
    this.#end();
  }

  #end(): void {
    this.stdin?.destroy();
    this.#close();
  }
}
