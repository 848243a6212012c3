import { TarError } from './header.ts';

/** Bounds for pax records, so that a header can't eat the memory. */
export const MAX_PAX_BYTES = 1 << 20;

const XATTR = 'SCHILY.xattr.';
/** libarchive's: the name is URL-encoded, the value base64. */
const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.';

export interface PaxRecords {
  path?: string;
  linkpath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  uname?: string;
  gname?: string;
  devMajor?: number;
  devMinor?: number;
  xattrs?: Map<string, Buffer>;
}

/** Adds the records of an extended header (`<length> <key>=<value>\n` …) to `into`; an empty value takes a key away. @throws TarError */
export function decodePax(data: Buffer, into: PaxRecords): void {
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    if (space < 0 || space === at || space - at > 10) throw malformed();
    const digits = data.toString('latin1', at, space);
    if (!/^[0-9]+$/.test(digits)) throw malformed();
    const end = at + Number(digits);
    if (end > data.length || end <= space + 1 || data[end - 1] !== 0x0a) throw malformed();
    const equals = data.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end || equals === space + 1) throw malformed();
    record(into, data.toString('utf8', space + 1, equals), data.subarray(equals + 1, end - 1));
    at = end;
  }
}

function record(into: PaxRecords, key: string, value: Buffer): void {
  const empty = value.length === 0;
  switch (key) {
    case 'path':
      into.path = empty ? undefined : string(value, key);
      return;
    case 'linkpath':
      into.linkpath = empty ? undefined : string(value, key);
      return;
    case 'uname':
      into.uname = empty ? undefined : string(value, key);
      return;
    case 'gname':
      into.gname = empty ? undefined : string(value, key);
      return;
    case 'size':
    case 'uid':
    case 'gid':
      into[key] = empty ? undefined : whole(value, key);
      return;
    case 'SCHILY.devmajor':
      into.devMajor = empty ? undefined : whole(value, key);
      return;
    case 'SCHILY.devminor':
      into.devMinor = empty ? undefined : whole(value, key);
      return;
    case 'mtime':
      into.mtime = empty ? undefined : time(value);
      return;
    default:
  }
  if (key.startsWith('GNU.sparse.')) {
    throw new TarError('the archive has a sparse file, which is not supported; make it without sparse files (tar without -S)');
  }
  if (key.startsWith(XATTR)) (into.xattrs ??= new Map()).set(key.slice(XATTR.length), Buffer.from(value));
  else if (key.startsWith(LIBARCHIVE_XATTR)) {
    const name = decodeName(key.slice(LIBARCHIVE_XATTR.length));
    if (!into.xattrs?.has(name)) (into.xattrs ??= new Map()).set(name, Buffer.from(value.toString('latin1'), 'base64'));
  }
}

function string(value: Buffer, key: string): string {
  if (value.includes(0)) throw new TarError(`a pax header's ${key} has a zero byte in it`);
  return value.toString('utf8');
}

function whole(value: Buffer, key: string): number {
  const words = value.toString('latin1');
  if (!/^[0-9]{1,16}$/.test(words) || !Number.isSafeInteger(Number(words))) throw new TarError(`a pax header's ${key} is not a number`);
  return Number(words);
}

function time(value: Buffer): number {
  const words = value.toString('latin1');
  if (!/^-?[0-9]{1,12}(\.[0-9]*)?$/.test(words)) throw new TarError(`a pax header's mtime is not a time`);
  return Number(words);
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    // Not encoded after all.
    return name;
  }
}

function malformed(): TarError {
  return new TarError('the archive is damaged: a pax header is malformed');
}

/** One record; its length counts itself. */
export function encodePaxRecord(key: string, value: string | Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), typeof value === 'string' ? Buffer.from(value) : value, Buffer.from('\n')]);
  let length = body.length + String(body.length).length;
  if (body.length + String(length).length !== length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export function encodeXattr(name: string, value: Uint8Array): Buffer {
  return encodePaxRecord(XATTR + name, value);
}
