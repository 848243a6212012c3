import type { Writable } from 'node:stream';

/**
 * Bodies from this size on (bytes) go out in slices of it. TLS seals a write as
 * a whole before it sends any of it: a list of 5 MB, written at once, takes as
 * much again in fresh memory, page by page, and holds it until its reader has
 * it all. A slice stays in the processor's cache and in memory that is there
 * already, and other requests get their turn in between.
 */
export const SLICE = 256 * 1024;

/** Ends `to` with a body, of which it never holds more than a slice. Who goes away meanwhile gets no more. */
export function endInSlices(to: Writable, body: Buffer): void {
  let at = 0;
  const next = (error?: Error | null): void => {
    if (error || to.destroyed) return;
    const from = at;
    at += SLICE;
    if (at >= body.length) to.end(body.subarray(from));
    else to.write(body.subarray(from, at), next);
  };
  next();
}
