import type { Stats } from 'node:fs';

/** Marks a folder whose namesakes below don't shine through. */
export const OPAQUE_XATTR = 'trusted.overlay.opaque';

/** The overlay's mark for a name that is deleted: a character device 0:0. */
export function isWhiteout(stats: Pick<Stats, 'isCharacterDevice' | 'rdev'>): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}
