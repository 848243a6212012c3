import { closeSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { O_PATH, openInRoot } from '../../host/beneath.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';
import { withRoot } from './root.ts';

/** A folder that stands for the container's root, or for one of its mounts, and a path in it. */
export interface View {
  readonly root: string;
  /** Absolute, within `root`. */
  readonly path: string;
}

/**
 * Lends a view of the container's files as its processes see them: through the first process while it runs, so with all mounts; else its
 * root, or the mount that the path lies in. Paths are to be resolved beneath `view.root`, by descriptor.
 */
export async function withView<T>(context: Context, entry: Entry, path: string, work: (view: View) => Promise<T>): Promise<T> {
  const { pid } = entry.state;
  if (entry.run !== undefined && pid !== undefined) return work({ root: `/proc/${pid}/root`, path });
  const clean = posix.normalize(`/${path}`);
  const mounts = entry.spec.mounts.filter((mount) => clean === mount.target || clean.startsWith(`${mount.target.replace(/\/$/, '')}/`));
  const mount = mounts.sort((a, b) => b.target.length - a.target.length)[0];
  if (mount !== undefined && mount.type !== 'tmpfs' && mount.type !== 'image') {
    const root = mount.type === 'bind' ? mount.source : (await context.volumes.get(mount.volume)).mountpoint;
    return work({ root, path: path.slice(path.indexOf(mount.target) + mount.target.length) || '/' });
  }
  return withRoot(context, entry, (root) => work({ root, path }));
}

/** The absolute path, within the root, that `path` leads to when every link is followed there; undefined when it leads nowhere. */
export async function realPath(root: string, path: string): Promise<string | undefined> {
  let top: number | undefined;
  let fd: number | undefined;
  try {
    top = await openInRoot(root, '.', O_PATH);
    fd = await openInRoot(root, path, O_PATH);
    const [base, real] = await Promise.all([readlink(`/proc/self/fd/${top}`), readlink(`/proc/self/fd/${fd}`)]);
    if (base === '/') return real;
    return real === base ? '/' : real.startsWith(`${base}/`) ? real.slice(base.length) : undefined;
  } catch {
    return undefined; // whatever the reason, there is nothing that a link could be said to lead to
  } finally {
    if (top !== undefined) closeSync(top);
    if (fd !== undefined) closeSync(fd);
  }
}
