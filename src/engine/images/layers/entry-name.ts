import { LongshoreError } from '../../../lib/errors.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** aufs kept files of its own under such names; they mean nothing to others. */
const AUFS = '.wh..wh.';

/**
 * An archive entry's name as a path inside of the root: no leading slash, no
 * empty or `.` parts, `..` taken with the part before it; the root itself is ''.
 * @throws `invalid` for what leads out of the root, and for zero bytes
 */
export function cleanName(name: string): string {
  // Most names are clean already, but for `./` before and `/` behind.
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.pop() !== undefined) continue;
    if (part === '..') {
      throw new LongshoreError('invalid', `the archive's entry ${JSON.stringify(name)} leads out of its root`, { object: name });
    }
    parts.push(part);
  }
  const path = parts.join('/');
  if (path.includes('\0')) {
    throw new LongshoreError('invalid', `the archive's entry ${JSON.stringify(name)} has a zero byte in its name`, { object: name });
  }
  return path;
}

export function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? { parent: '', name: path } : { parent: path.slice(0, slash), name: path.slice(slash + 1) };
}

/**
 * What a layer's entry says by its name (OCI image-spec, layer.md, "Whiteouts").
 * @throws `invalid` for a whiteout of nothing, of `.` or of `..`
 */
export function whiteoutOf(name: string): { readonly kind: 'none' | 'opaque' | 'skip' } | { readonly kind: 'delete'; readonly name: string } {
  if (!name.startsWith(WHITEOUT)) return { kind: 'none' };
  if (name === OPAQUE) return { kind: 'opaque' };
  if (name.startsWith(AUFS) && name.length > AUFS.length) return { kind: 'skip' };
  const target = name.slice(WHITEOUT.length);
  if (target === '' || target === '.' || target === '..' || target.startsWith(WHITEOUT)) {
    throw new LongshoreError('invalid', `the layer has a whiteout with the invalid name ${JSON.stringify(name)}`, { object: name });
  }
  return { kind: 'delete', name: target };
}

/** A symlink's target as a path inside of the root; at the top, `..` stays there. */
export function linkTarget(parent: string, target: string): string {
  const parts = target.startsWith('/') ? [] : parent.split('/').filter((part) => part !== '');
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
