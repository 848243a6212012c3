import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Of pieces that wait. */
const QUEUE_BYTES = 1 << 20;

/**
 * Gives a piece's memory back at once, where it is all of its buffer: hundreds of megabytes in pieces would
 * otherwise bring a collection of the whole heap every few dozen. Nobody may look at the piece afterwards.
 */
export function free(piece: Uint8Array): void {
  const { buffer } = piece;
  if (buffer instanceof ArrayBuffer && piece.byteLength === buffer.byteLength) buffer.transfer(0);
}

/**
 * A stream's pieces as they came: its own iterator would join those that wait, which copies them.
 * The stream is not destroyed: a request's owner still has an answer to give on its connection.
 */
export async function* piecesOf(source: Readable): AsyncGenerator<Buffer, void, void> {
  const queue: Buffer[] = [];
  let bytes = 0;
  let failure: { readonly error: unknown } | undefined;
  let ended = false;
  let wake = (): void => {};
  const onData = (piece: Buffer): void => {
    queue.push(piece);
    bytes += piece.length;
    if (bytes >= QUEUE_BYTES) source.pause();
    wake();
  };
  source.on('data', onData);
  const end = finished(source, { writable: false }).then(
    () => (ended = true),
    (error: unknown) => (failure = { error }),
  );
  void end.then(() => wake());
  try {
    for (;;) {
      for (let piece = queue.shift(); piece; piece = queue.shift()) {
        bytes -= piece.length;
        yield piece;
      }
      if (failure) throw failure.error;
      if (ended) return;
      if (source.isPaused()) source.resume();
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    source.pause();
    source.off('data', onData);
  }
}

/** What comes from a source, each piece freed when the next is asked for. */
export async function* freeing(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of source) {
    yield piece;
    free(piece);
  }
}
