import { FRAME_HEADER_BYTES, checkFrame, findFrame } from './frame.ts';
import type { LogFile } from './files.ts';

const WINDOW_BYTES = 2 ** 20;

/** How the reading of a file's frames ended. */
export interface FileEnd {
  /** Just after the last whole frame. */
  readonly end: number;
  readonly size: number;
  /** What is behind `end` is not merely torn: at this position comes another whole frame, so something in between was damaged later. -1 otherwise. */
  readonly nextFrame: number;
}

/** Takes the payload from `at` to `end` of `buffer`, valid during the call, and returns the salt of the frames that follow. */
export type FrameVisitor = (buffer: Buffer, at: number, end: number) => number;

/** Reads all frames of `file` in order, up to its end or to the first that is not whole. */
export async function readFrames(file: LogFile, headSalt: number, visit: FrameVisitor): Promise<FileEnd> {
  const size = await file.size();
  let salt = headSalt;
  /** The position in the file of the window's start. */
  let base = 0;
  // One buffer for the whole file: what a visitor keeps, it copies.
  let memory = Buffer.allocUnsafeSlow(Math.min(size, WINDOW_BYTES));
  let window = await readFrom(file, 0, memory);
  for (let at = 0; ; ) {
    if (base + at >= size) return { end: size, size, nextFrame: -1 };
    const check = checkFrame(window, at, salt);
    if (check.state === 'whole') {
      salt = visit(window, at + FRAME_HEADER_BYTES, check.end);
      at = check.end;
    } else if (check.state === 'short' && base + at + check.need <= size) {
      base += at;
      at = 0;
      if (check.need > memory.length) memory = Buffer.allocUnsafeSlow(check.need);
      window = await readFrom(file, base, memory);
    } else {
      const end = base + at;
      const rest = await readFrom(file, end, Buffer.allocUnsafeSlow(size - end));
      const next = findFrame(rest, 1, salt);
      return { end, size, nextFrame: next === -1 ? -1 : end + next };
    }
  }
}

/** Fills `into` from `position` on; returns the part that was filled, shorter at the end of the file. */
async function readFrom(file: LogFile, position: number, into: Buffer): Promise<Buffer> {
  let filled = 0;
  while (filled < into.length) {
    const count = await file.read(into.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return into.subarray(0, filled);
}
