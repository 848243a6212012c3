import type { Duplex } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';

const MAX_HEAD_BYTES = 65_536;
const END = Buffer.from('\r\n\r\n');

/** The head of a response of HTTP/1.1, its bytes as they came, and what came after it. */
export interface ResponseHead {
  readonly status: number;
  readonly bytes: Buffer;
  readonly headers: ReadonlyMap<string, string>;
  readonly rest: Buffer;
}

/**
 * Reads the head of a response and leaves the stream paused behind it. Interim
 * answers (1xx but for 101) are passed over.
 * @throws LongshoreError `unavailable` when the other side ends before, or sends no HTTP
 */
export function readResponseHead(stream: Duplex): Promise<ResponseHead> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const finish = (): void => {
      stream.off('data', onData);
      stream.off('end', onEnd);
      stream.off('close', onEnd);
      stream.off('error', onError);
      stream.pause();
    };
    const fail = (message: string, cause?: unknown): void => {
      finish();
      reject(new LongshoreError('unavailable', message, { cause }));
    };
    const onEnd = (): void => fail('the node closed the connection before it answered');
    const onError = (error: Error): void => fail(`the connection to the node failed: ${error.message}`, error);
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      for (;;) {
        const at = seen.indexOf(END);
        if (at < 0) {
          if (seen.length > MAX_HEAD_BYTES) fail('the node answered with a head that is too large');
          return;
        }
        const head = parse(seen.subarray(0, at + END.length), seen.subarray(at + END.length));
        if (head === undefined) {
          fail('the node answered with something that is no HTTP');
          return;
        }
        if (head.status >= 200 || head.status === 101) {
          finish();
          resolve(head);
          return;
        }
        seen = head.rest as Buffer<ArrayBuffer>;
      }
    };
    stream.on('data', onData);
    stream.on('end', onEnd);
    stream.on('close', onEnd);
    stream.on('error', onError);
  });
}

function parse(bytes: Buffer, rest: Buffer): ResponseHead | undefined {
  const [first = '', ...lines] = bytes.toString('latin1').slice(0, -END.length).split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first);
  if (match === null) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) return undefined;
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(match[1]), bytes, headers, rest };
}
