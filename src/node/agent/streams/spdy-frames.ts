import { createInflate, type Inflate } from 'node:zlib';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';

/** Frames of SPDY/3.1 as kubectl's streams use them (SPDY protocol, draft 3.1, section 2.6). */
export type SpdyFrame =
  | { readonly type: 'data'; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly type: 'syn-stream'; readonly stream: number; readonly fin: boolean; readonly headers: ReadonlyMap<string, string> }
  | { readonly type: 'rst-stream'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goaway' }
  | { readonly type: 'ignored' };

const CONTROL = { SYN_STREAM: 1, SYN_REPLY: 2, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, HEADERS: 8, WINDOW_UPDATE: 9 } as const;
const FLAG_FIN = 1;
const HEAD_BYTES = 8;
/** Headers of our clients are some hundred bytes; more is an attack. */
const LARGEST_CONTROL = 64 * 1024;
const LARGEST_HEADERS = 256 * 1024;
const LARGEST_DATA = 1 << 24;

/** Cuts a byte stream into frames, in order. Headers share one decompression context, so frames are read one after the other. */
export class SpdyReader {
  #pending: Buffer = Buffer.alloc(0);
  readonly #inflate: Inflate = createInflate({ dictionary: SPDY_DICTIONARY });
  #inflated: Buffer[] = [];
  #size = 0;

  constructor() {
    this.#inflate.on('data', (piece: Buffer) => {
      this.#size += piece.length;
      this.#inflated.push(piece);
    });
  }

  /** @throws Error when the bytes are not SPDY/3 */
  async *read(bytes: Buffer): AsyncGenerator<SpdyFrame> {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= HEAD_BYTES) {
      const control = (this.#pending[0]! & 0x80) !== 0;
      const length = this.#pending.readUIntBE(5, 3);
      if (length > (control ? LARGEST_CONTROL : LARGEST_DATA)) throw new Error(`SPDY frame of ${length} bytes is too large`);
      if (this.#pending.length < HEAD_BYTES + length) return;
      const head = this.#pending.subarray(0, HEAD_BYTES);
      const body = this.#pending.subarray(HEAD_BYTES, HEAD_BYTES + length);
      this.#pending = this.#pending.subarray(HEAD_BYTES + length);
      if (control) yield await this.#control(head, body);
      else yield { type: 'data', stream: head.readUInt32BE(0) & 0x7fffffff, fin: (head[4]! & FLAG_FIN) !== 0, data: body };
    }
  }

  async #control(head: Buffer, body: Buffer): Promise<SpdyFrame> {
    if ((head.readUInt16BE(0) & 0x7fff) !== 3) throw new Error('not SPDY version 3');
    const fin = (head[4]! & FLAG_FIN) !== 0;
    switch (head.readUInt16BE(2)) {
      case CONTROL.SYN_STREAM: return { type: 'syn-stream', stream: body.readUInt32BE(0) & 0x7fffffff, fin, headers: await this.#headers(body.subarray(10)) };
      case CONTROL.HEADERS:
        await this.#headers(body.subarray(4)); // the shared context has to see them
        return { type: 'ignored' };
      case CONTROL.RST_STREAM: return { type: 'rst-stream', stream: body.readUInt32BE(0) & 0x7fffffff, status: body.readUInt32BE(4) };
      case CONTROL.PING: return { type: 'ping', id: body.readUInt32BE(0) };
      case CONTROL.GOAWAY: return { type: 'goaway' };
      default: return { type: 'ignored' };
    }
  }

  async #headers(block: Buffer): Promise<ReadonlyMap<string, string>> {
    await new Promise<void>((resolve, reject) => {
      this.#inflate.once('error', reject);
      this.#inflate.write(block, (error) => (error ? reject(error) : this.#inflate.flush(() => {
        this.#inflate.off('error', reject);
        resolve();
      })));
    });
    if (this.#size > LARGEST_HEADERS) throw new Error('SPDY headers are too large');
    const text = Buffer.concat(this.#inflated);
    this.#inflated = [];
    this.#size = 0;
    const headers = new Map<string, string>();
    let at = 4;
    const next = (): string => {
      const length = text.readUInt32BE(at);
      at += 4 + length;
      return text.toString('latin1', at - length, at);
    };
    for (let left = text.readUInt32BE(0); left > 0; left--) {
      const name = next();
      headers.set(name.toLowerCase(), next());
    }
    return headers;
  }

  close(): void {
    this.#inflate.destroy();
  }
}

export function dataFrame(stream: number, data: Buffer, fin: boolean): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(stream, 0);
  head.writeUInt32BE(data.length, 4);
  head[4] = fin ? FLAG_FIN : 0;
  return data.length === 0 ? head : Buffer.concat([head, data]);
}

function controlFrame(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

export function pingFrame(id: number): Buffer {
  return controlFrame(CONTROL.PING, u32(id));
}

export function rstFrame(stream: number, status: number): Buffer {
  return controlFrame(CONTROL.RST_STREAM, Buffer.concat([u32(stream), u32(status)]));
}

export function goawayFrame(last: number): Buffer {
  return controlFrame(CONTROL.GOAWAY, Buffer.concat([u32(last), u32(0)]));
}

/** Writes SYN_REPLYs. Their (empty) headers go as stored blocks of one zlib stream: its head, with the dictionary's id, comes before the first. */
export class SynReplyWriter {
  #first = true;

  frame(stream: number): Buffer {
    const none = u32(0);
    // The empty block behind it is a flush: readers hand on what they have only then.
    const stored = Buffer.concat([Buffer.from([0, none.length, 0, 0xff - none.length, 0xff]), none, Buffer.from([0, 0, 0, 0xff, 0xff])]);
    const block = this.#first ? Buffer.concat([Buffer.from([0x78, 0x20]), u32(0xe3c6a7c2), stored]) : stored;
    this.#first = false;
    return controlFrame(CONTROL.SYN_REPLY, Buffer.concat([u32(stream), block]));
  }
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value >>> 0);
  return out;
}
