/**
 * Tar archives as streams: POSIX ustar and pax (IEEE Std 1003.1, pax), with GNU's long names and
 * base-256 numbers. Reading is by `readTar` (entries with bodies, with
 * backpressure) or by `TarParser` (pieces pushed in, events out: the fast way,
 * for worker threads); writing by `packTar`, or by `encodeHeader` and `padding`.
 */
export { TarError } from './tar/header.ts';
export type { TarEntryType, TarHeader } from './tar/header.ts';
export { readTar, TarParser } from './tar/reader.ts';
export type { TarEntry, TarHandler, TarLimits } from './tar/reader.ts';
export { encodeHeader, END_OF_ARCHIVE, packTar, padding } from './tar/writer.ts';
export type { PackEntry } from './tar/writer.ts';
