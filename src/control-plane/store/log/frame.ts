import { crc32 } from 'node:zlib';

/**
 * A frame is the unit that is written whole or not at all:
 *
 * | bytes | what |
 * |---|---|
 * | 4 | the letters LSF1 |
 * | 4 | length of the payload, little endian |
 * | 4 | CRC-32 over the file's salt, the length and the payload |
 * | … | payload |
 *
 * The salt is random for each file, so that neither a value that somebody
 * stores nor what an earlier file left on the disk can pass for a frame.
 */
export const FRAME_HEADER_BYTES = 12;
/** A batch is never larger than this: one transaction of the largest size, and its keys. */
const MAX_PAYLOAD_BYTES = 512 * 2 ** 20;

/** LSF1 */
const MAGIC = Buffer.from('LSF1', 'latin1');
const MAGIC_VALUE = MAGIC.readUInt32LE(0);

/** Fills in the header of a frame that begins at the start of `buffer` and ends at `end`. */
export function sealFrame(buffer: Buffer, end: number, salt: number): void {
  buffer.writeUInt32LE(MAGIC_VALUE, 0);
  buffer.writeUInt32LE(end - FRAME_HEADER_BYTES, 4);
  buffer.writeUInt32LE(checksum(buffer, 0, end, salt), 8);
}

/** What stands at one place of a file. */
export type FrameCheck =
  | { readonly state: 'whole'; readonly end: number }
  /** `need` bytes from the frame's start on would tell. */
  | { readonly state: 'short'; readonly need: number }
  | { readonly state: 'damaged' };

/** Looks at the frame that begins at `at` in `buffer`. */
export function checkFrame(buffer: Buffer, at: number, salt: number): FrameCheck {
  if (buffer.length - at < FRAME_HEADER_BYTES) return { state: 'short', need: FRAME_HEADER_BYTES };
  if (buffer.readUInt32LE(at) !== MAGIC_VALUE) return { state: 'damaged' };
  const length = buffer.readUInt32LE(at + 4);
  if (length > MAX_PAYLOAD_BYTES) return { state: 'damaged' };
  const end = at + FRAME_HEADER_BYTES + length;
  if (end > buffer.length) return { state: 'short', need: end - at };
  return checksum(buffer, at, end, salt) === buffer.readUInt32LE(at + 8) ? { state: 'whole', end } : { state: 'damaged' };
}

/** Where the next whole frame begins at or after `from`, or -1. */
export function findFrame(buffer: Buffer, from: number, salt: number): number {
  for (let at = buffer.indexOf(MAGIC, from); at !== -1; at = buffer.indexOf(MAGIC, at + 1)) {
    if (checkFrame(buffer, at, salt).state === 'whole') return at;
  }
  return -1;
}

function checksum(buffer: Buffer, at: number, end: number, salt: number): number {
  return crc32(buffer.subarray(at + FRAME_HEADER_BYTES, end), crc32(buffer.subarray(at + 4, at + 8), salt));
}
