const END_OF_LINE = Buffer.from('\r\n');
/** The chunk that ends a body. */
export const LAST_CHUNK = '0\r\n\r\n';

let lastData: Buffer | undefined;
let lastChunk: Buffer | undefined;

/**
 * Data as one chunk of the chunked transfer coding (RFC 9112, section 7.1);
 * empty for none, since an empty chunk would end the body. An event goes to
 * its watchers one after the other, as one buffer: it is made a chunk once.
 */
export function chunkOf(data: Buffer): Buffer {
  if (data.length === 0) return data;
  if (data === lastData) return lastChunk!;
  const head = `${data.length.toString(16)}\r\n`;
  const out = Buffer.allocUnsafe(head.length + data.length + 2);
  out.write(head, 0, 'latin1');
  out.set(data, head.length);
  out.set(END_OF_LINE, head.length + data.length);
  lastData = data;
  lastChunk = out;
  return out;
}
