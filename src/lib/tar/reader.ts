import { BLOCK, decodeBlock, TarError } from './header.ts';
import type { RawHeader, TarEntryType, TarHeader } from './header.ts';
import { decodePax, MAX_PAX_BYTES } from './pax.ts';
import type { PaxRecords } from './pax.ts';

/** What a parser calls, in order: `entry`, its `data` pieces (views into what was pushed in; copy to keep), `end`. */
export interface TarHandler {
  entry(header: TarHeader): void;
  data(piece: Buffer): void;
  end(): void;
}

export interface TarLimits {
  /** Entries in the archive. Default: 10 million. */
  readonly maxEntries?: number;
  /** Bytes after the end mark. Default: 16 MiB. */
  readonly maxTrailingBytes?: number;
}

const TYPES: Readonly<Record<number, TarEntryType>> = {
  0: 'file',
  0x30: 'file',
  0x31: 'link',
  0x32: 'symlink',
  0x33: 'character-device',
  0x34: 'block-device',
  0x35: 'directory',
  0x36: 'fifo',
  0x37: 'file',
};
const PAX = 0x78;
const PAX_GLOBAL = 0x67;
const GNU_LONG_NAME = 0x4c;
const GNU_LONG_LINK = 0x4b;
const GNU_SPARSE = 0x53;

type State = 'header' | 'body' | 'padding' | 'meta' | 'done';

/** Parses an archive from pieces of any size. Calls the handler before `write` returns, so the caller's own pace is the backpressure. */
export class TarParser {
  #handler: TarHandler;
  #maxEntries: number;
  #maxTrailing: number;
  #state: State = 'header';
  /** A header or a block of meta data that came in several pieces. */
  #partial = Buffer.allocUnsafe(BLOCK);
  #partialLength = 0;
  /** Bytes left of a body, then of its padding. */
  #left = 0;
  #padding = 0;
  #meta: Buffer | undefined;
  #metaLength = 0;
  #metaType = 0;
  #pax: PaxRecords = {};
  #global: PaxRecords = {};
  #hasGlobal = false;
  #hasPax = false;
  #longName: string | undefined;
  #longLink: string | undefined;
  #entries = 0;
  #trailing = 0;
  #sawZeroBlock = false;
  #bytes = 0;

  constructor(handler: TarHandler, limits: TarLimits = {}) {
    this.#handler = handler;
    this.#maxEntries = limits.maxEntries ?? 10_000_000;
    this.#maxTrailing = limits.maxTrailingBytes ?? 16 << 20;
  }

  /** @throws TarError, and whatever the handler throws */
  write(piece: Uint8Array): void {
    const chunk = Buffer.isBuffer(piece) ? piece : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    this.#bytes += chunk.length;
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case 'body': {
          const take = Math.min(this.#left, chunk.length - at);
          this.#handler.data(at === 0 && take === chunk.length ? chunk : chunk.subarray(at, at + take));
          at += take;
          this.#left -= take;
          if (this.#left === 0) this.#endBody();
          break;
        }
        case 'padding': {
          const take = Math.min(this.#padding, chunk.length - at);
          at += take;
          this.#padding -= take;
          if (this.#padding === 0) this.#state = 'header';
          break;
        }
        case 'meta':
          at += this.#takeMeta(chunk, at);
          break;
        case 'header':
          if (this.#partialLength === 0 && chunk.length - at >= BLOCK) {
            this.#header(chunk.subarray(at, at + BLOCK));
            at += BLOCK;
          } else {
            const take = Math.min(BLOCK - this.#partialLength, chunk.length - at);
            chunk.copy(this.#partial, this.#partialLength, at, at + take);
            this.#partialLength += take;
            at += take;
            if (this.#partialLength === BLOCK) {
              this.#partialLength = 0;
              this.#header(this.#partial);
            }
          }
          break;
        case 'done':
          this.#trailing += chunk.length - at;
          if (this.#trailing > this.#maxTrailing) {
            throw new TarError(`the archive goes on for more than ${this.#maxTrailing} bytes after its end mark`);
          }
          at = chunk.length;
          break;
      }
    }
  }

  /** The input is over. @throws TarError when it ended within an entry */
  end(): void {
    if (this.#state === 'body' || this.#state === 'meta' || this.#partialLength > 0) {
      throw new TarError('the archive is cut off: it ends within an entry');
    }
    if (this.#bytes === 0) return;
  }

  #header(block: Buffer): void {
    if (block[0] === 0 && isZero(block)) {
      // Two zero blocks end an archive; some writers leave one.
      if (this.#sawZeroBlock) this.#state = 'done';
      this.#sawZeroBlock = true;
      return;
    }
    this.#sawZeroBlock = false;
    if (++this.#entries > this.#maxEntries) throw new TarError(`the archive has more than ${this.#maxEntries} entries`);
    const raw = decodeBlock(block);
    switch (raw.typeflag) {
      case PAX:
      case PAX_GLOBAL:
      case GNU_LONG_NAME:
      case GNU_LONG_LINK:
        this.#startMeta(raw);
        return;
      case GNU_SPARSE:
        throw new TarError(`${raw.name} is a sparse file, which is not supported; make the archive without sparse files (tar without -S)`);
      default:
    }
    this.#entry(raw);
  }

  #entry(raw: RawHeader): void {
    const pax = this.#hasGlobal ? mergeRecords(this.#global, this.#pax) : this.#pax;
    const had = this.#hasPax || this.#hasGlobal;
    const name = this.#longName ?? (had ? pax.path : undefined) ?? raw.name;
    let type = TYPES[raw.typeflag];
    if (type === undefined) throw new TarError(`${name} has the unknown entry type ${JSON.stringify(String.fromCharCode(raw.typeflag))}`);
    // Before POSIX, a folder was a file whose name ends in a slash.
    if (raw.typeflag === 0 && name.endsWith('/')) type = 'directory';
    const declared = (had ? pax.size : undefined) ?? raw.size;
    if (declared < 0) throw new TarError(`${name} has a negative size`);
    // Some writers leave the target's size on a link; no body follows.
    const size = type === 'file' ? declared : 0;
    const body = type === 'file' || type === 'directory' ? declared : 0;
    const header: TarHeader = {
      name,
      type,
      mode: raw.mode,
      uid: (had ? pax.uid : undefined) ?? raw.uid,
      gid: (had ? pax.gid : undefined) ?? raw.gid,
      uname: (had ? pax.uname : undefined) ?? raw.uname,
      gname: (had ? pax.gname : undefined) ?? raw.gname,
      size,
      mtime: (had ? pax.mtime : undefined) ?? raw.mtime,
      ...(type === 'link' || type === 'symlink' ? { linkname: this.#longLink ?? (had ? pax.linkpath : undefined) ?? raw.linkname } : {}),
      ...(type === 'character-device' || type === 'block-device' ? { devMajor: pax.devMajor ?? raw.devMajor, devMinor: pax.devMinor ?? raw.devMinor } : {}),
      ...(had && pax.xattrs ? { xattrs: pax.xattrs } : {}),
    };
    if (this.#hasPax) this.#pax = {};
    this.#hasPax = false;
    this.#longName = this.#longLink = undefined;
    this.#handler.entry(header);
    this.#left = body;
    this.#padding = (BLOCK - (body % BLOCK)) % BLOCK;
    if (type === 'directory' && body > 0) throw new TarError(`${name} is a directory with a body`);
    if (body === 0) this.#endBody();
    else this.#state = 'body';
  }

  #endBody(): void {
    this.#state = this.#padding > 0 ? 'padding' : 'header';
    this.#handler.end();
  }

  #startMeta(raw: RawHeader): void {
    if (raw.size > MAX_PAX_BYTES || raw.size < 0) {
      throw new TarError(`the archive has an extended header of ${raw.size} bytes; at most ${MAX_PAX_BYTES} are taken`);
    }
    this.#metaType = raw.typeflag;
    this.#meta = Buffer.allocUnsafe(raw.size);
    this.#metaLength = 0;
    this.#padding = (BLOCK - (raw.size % BLOCK)) % BLOCK;
    this.#state = 'meta';
    if (raw.size === 0) this.#endMeta();
  }

  #takeMeta(chunk: Buffer, at: number): number {
    const meta = this.#meta!;
    const take = Math.min(meta.length - this.#metaLength, chunk.length - at);
    chunk.copy(meta, this.#metaLength, at, at + take);
    this.#metaLength += take;
    if (this.#metaLength === meta.length) this.#endMeta();
    return take;
  }

  #endMeta(): void {
    const meta = this.#meta!;
    this.#meta = undefined;
    this.#state = this.#padding > 0 ? 'padding' : 'header';
    if (this.#metaType === PAX) {
      decodePax(meta, this.#pax);
      this.#hasPax = true;
    } else if (this.#metaType === PAX_GLOBAL) {
      decodePax(meta, this.#global);
      this.#hasGlobal = true;
    } else {
      const zero = meta.indexOf(0);
      const value = meta.toString('utf8', 0, zero < 0 ? meta.length : zero);
      if (this.#metaType === GNU_LONG_NAME) this.#longName = value;
      else this.#longLink = value;
    }
  }
}

function mergeRecords(global: PaxRecords, local: PaxRecords): PaxRecords {
  const merged: PaxRecords = { ...global };
  for (const [key, value] of Object.entries(local)) if (value !== undefined) Object.assign(merged, { [key]: value });
  return merged;
}

function isZero(block: Buffer): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

export interface TarEntry {
  readonly header: TarHeader;
  /** The body's pieces; what isn't read is skipped when the next entry is asked for. */
  readonly body: AsyncIterable<Buffer>;
}

type Event = { readonly header: TarHeader } | { readonly data: Buffer } | 'end';

/**
 * The entries of an archive, one after another; the source is read as fast as they are.
 * @throws TarError
 */
export async function* readTar(source: AsyncIterable<Uint8Array>, limits: TarLimits = {}): AsyncGenerator<TarEntry, void, void> {
  let events: Event[] = [];
  let at = 0;
  const parser = new TarParser(
    {
      entry: (header) => void events.push({ header }),
      data: (data) => void events.push({ data }),
      end: () => void events.push('end'),
    },
    limits,
  );
  const iterator = source[Symbol.asyncIterator]();
  const next = async (): Promise<Event | undefined> => {
    while (at === events.length) {
      events = [];
      at = 0;
      const piece = await iterator.next();
      if (piece.done) {
        parser.end();
        return undefined;
      }
      parser.write(piece.value);
    }
    return events[at++];
  };
  try {
    for (let event = await next(); event !== undefined; event = await next()) {
      if (event === 'end' || !('header' in event)) continue;
      let ended = false;
      const body = (async function* (): AsyncGenerator<Buffer, void, void> {
        while (!ended) {
          const piece = await next();
          if (piece === undefined || piece === 'end') ended = true;
          else if ('data' in piece) yield piece.data;
        }
      })();
      yield { header: event.header, body };
      while (!ended) {
        const piece = await next();
        if (piece === undefined || piece === 'end') ended = true;
      }
    }
  } finally {
    await iterator.return?.();
  }
}
