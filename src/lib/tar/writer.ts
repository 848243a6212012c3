import { BLOCK } from './header.ts';
import type { TarEntryType, TarHeader } from './header.ts';
import { encodePaxRecord, encodeXattr } from './pax.ts';

const TYPEFLAG: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** Two zero blocks. */
export const END_OF_ARCHIVE: Buffer = Buffer.alloc(2 * BLOCK);

/** The zeros that fill up a body of `size` bytes. */
export function padding(size: number): Buffer {
  return END_OF_ARCHIVE.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

/**
 * The header's bytes: ustar where it fits, with a pax header before it where it does not
 * (long or non-ASCII names, big numbers, fractions of a second, extended attributes). The same header gives
 * the same bytes. A directory's name gets its slash.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const records: Buffer[] = [];
  let name = header.name;
  if (header.type === 'directory' && !name.endsWith('/')) name += '/';
  const split = splitName(name);
  if (!split) records.push(encodePaxRecord('path', name));
  const link = header.linkname ?? '';
  const longLink = !isAscii(link) || link.length > 100;
  if (longLink) records.push(encodePaxRecord('linkpath', link));
  const seconds = Math.floor(header.mtime);
  const octalTime = seconds >= 0 && seconds < 8 ** 11;
  if (seconds !== header.mtime || !octalTime) records.push(encodePaxRecord('mtime', paxTime(header.mtime)));
  if (header.uid >= 8 ** 7) records.push(encodePaxRecord('uid', String(header.uid)));
  if (header.gid >= 8 ** 7) records.push(encodePaxRecord('gid', String(header.gid)));
  if (header.size >= 8 ** 11) records.push(encodePaxRecord('size', String(header.size)));
  for (const [key, value] of [...(header.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) records.push(encodeXattr(key, value));
  const [prefix, short] = split ?? ['', asciiOf(name).slice(0, 100)];
  const block = ustar(header, TYPEFLAG[header.type], prefix, short, longLink ? asciiOf(link).slice(0, 100) : link, octalTime ? seconds : 0);
  if (records.length === 0) return block;
  const pax = Buffer.concat(records);
  const paxHeader: TarHeader = { name: '', type: 'file', mode: 0o644, uid: 0, gid: 0, size: pax.length, mtime: 0 };
  const base = asciiOf(name.replace(/\/$/, '').split('/').at(-1) ?? '').slice(0, 80);
  return Buffer.concat([ustar(paxHeader, 'x', '', `PaxHeaders.0/${base}`, '', 0), pax, padding(pax.length), block]);
}

export interface PackEntry {
  readonly header: TarHeader;
  /** As many bytes as `header.size` says. */
  readonly body?: AsyncIterable<Uint8Array> | Uint8Array;
}

/** The archive of the entries, with its end. @throws Error when a body is not as long as its header says */
export async function* packTar(entries: AsyncIterable<PackEntry> | Iterable<PackEntry>): AsyncGenerator<Buffer, void, void> {
  for await (const { header, body } of entries) {
    yield encodeHeader(header);
    let written = 0;
    if (body instanceof Uint8Array) {
      written = body.length;
      if (written > 0) yield Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    } else if (body) {
      for await (const piece of body) {
        written += piece.length;
        if (written > header.size) break;
        yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      }
    }
    if (written !== header.size) {
      throw new Error(
        `${header.name} changed while it was read: ${written > header.size ? 'more than' : `${written} of`} ${header.size} bytes`,
      );
    }
    const fill = padding(header.size);
    if (fill.length > 0) yield fill;
  }
  yield END_OF_ARCHIVE;
}

function ustar(header: TarHeader, typeflag: string, prefix: string, name: string, linkname: string, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, 'latin1');
  octal(block, 100, 8, header.mode & 0o7777);
  octal(block, 108, 8, header.uid < 8 ** 7 ? header.uid : 0);
  octal(block, 116, 8, header.gid < 8 ** 7 ? header.gid : 0);
  octal(block, 124, 12, header.size < 8 ** 11 ? header.size : 0);
  octal(block, 136, 12, mtime);
  block.fill(0x20, 148, 156);
  block.write(typeflag, 156, 1, 'latin1');
  block.write(linkname, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  block.write(asciiOf(header.uname ?? '').slice(0, 31), 265, 'latin1');
  block.write(asciiOf(header.gname ?? '').slice(0, 31), 297, 'latin1');
  octal(block, 329, 8, header.devMajor ?? 0);
  octal(block, 337, 8, header.devMinor ?? 0);
  block.write(prefix, 345, 155, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(sum.toString(8).padStart(6, '0') + '\0 ', 148, 8, 'latin1');
  return block;
}

function octal(block: Buffer, at: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), at, length - 1, 'latin1');
}

/** Prefix and name as ustar splits them; undefined when they don't fit. */
function splitName(name: string): [string, string] | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return ['', name];
  if (name.length > 256) return undefined;
  // The slash between them is not stored; the name may not be empty.
  const slash = name.lastIndexOf('/', name.endsWith('/') ? name.length - 2 : name.length - 1);
  for (let at = Math.min(slash, 155); at > 0; at = name.lastIndexOf('/', at - 1)) {
    if (name.length - at - 1 <= 100) return [name.slice(0, at), name.slice(at + 1)];
    return undefined;
  }
  return undefined;
}

function isAscii(words: string): boolean {
  return !/[^ -~]/.test(words);
}

function asciiOf(words: string): string {
  return isAscii(words) ? words : words.replaceAll(/[^ -~]/g, '_');
}

/** At most nanoseconds, without trailing zeros. */
function paxTime(seconds: number): string {
  return Number.isInteger(seconds) ? String(seconds) : seconds.toFixed(9).replace(/0+$/, '');
}
