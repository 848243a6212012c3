/** A malformed or unsupported archive. */
export class TarError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TarError';
  }
}

export type TarEntryType = 'file' | 'link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

export interface TarHeader {
  /** As it stands in the archive: not checked, not cleaned. Folders may end in a slash. */
  readonly name: string;
  readonly type: TarEntryType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names of owner and group; empty when unknown. */
  readonly uname?: string;
  readonly gname?: string;
  /** Bytes of the body; 0 for all but files. */
  readonly size: number;
  /** Seconds since the epoch, with a fraction where the archive has one. */
  readonly mtime: number;
  /** Of a link or symlink. */
  readonly linkname?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
  /** Extended attributes (pax SCHILY.xattr.*), by full name, as in `security.capability`. */
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

export const BLOCK = 512;

/** The fields of one 512-byte header block, before pax and GNU extensions apply. */
export interface RawHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  typeflag: number;
  linkname: string;
  uname: string;
  gname: string;
  devMajor: number;
  devMinor: number;
}

/** @throws TarError for a wrong checksum or a malformed number */
export function decodeBlock(block: Buffer): RawHeader {
  checkSum(block);
  const ustar = block.toString('latin1', 257, 262) === 'ustar';
  const gnu = ustar && block[262] === 0x20;
  let name = text(block, 0, 100);
  // GNU's old format keeps times where ustar keeps the prefix.
  if (ustar && !gnu && block[345] !== 0) name = `${text(block, 345, 155)}/${name}`;
  return {
    name,
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: number(block, 124, 12, 'size'),
    mtime: number(block, 136, 12, 'mtime'),
    typeflag: block[156]!,
    linkname: text(block, 157, 100),
    uname: ustar ? text(block, 265, 32) : '',
    gname: ustar ? text(block, 297, 32) : '',
    devMajor: ustar ? number(block, 329, 8, 'devmajor') : 0,
    devMinor: ustar ? number(block, 337, 8, 'devminor') : 0,
  };
}

/** The sum of the block's bytes, its own field taken as spaces; some old programs summed signed bytes. */
function checkSum(block: Buffer): void {
  let unsigned = 256;
  let signed = 256;
  for (let i = 0; i < BLOCK; i++) {
    if (i === 148) i = 156;
    const byte = block[i]!;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stored = number(block, 148, 8, 'checksum');
  if (stored !== unsigned && stored !== signed) {
    throw new TarError('this is not a tar archive, or it is damaged: a header has a wrong checksum');
  }
}

/** A string ends at its zero byte, or at the field's end. */
export function text(block: Buffer, start: number, length: number): string {
  let end = start;
  const limit = start + length;
  let ascii = true;
  while (end < limit && block[end] !== 0) {
    if (block[end]! > 127) ascii = false;
    end++;
  }
  return ascii ? block.toString('latin1', start, end) : block.toString('utf8', start, end);
}

/** Octal digits, or big-endian base 256 when the first byte's high bit is set (GNU, star). */
function number(block: Buffer, start: number, length: number, field: string): number {
  const first = block[start]!;
  if (first & 0x80) {
    const negative = (first & 0x40) !== 0;
    let value = BigInt(negative ? (first & 0x7f) - 128 : first & 0x7f);
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[start + i]!);
    const result = Number(value);
    if (!Number.isSafeInteger(result)) throw new TarError(`a header's ${field} is out of range`);
    return result;
  }
  let value = 0;
  let digits = false;
  for (let i = start; i < start + length; i++) {
    const byte = block[i]!;
    if (byte === 0x20 || byte === 0) {
      if (digits) break;
      continue;
    }
    if (byte < 0x30 || byte > 0x37) throw new TarError(`a header's ${field} is not a number`);
    value = value * 8 + (byte - 0x30);
    digits = true;
  }
  return value;
}
