import type { Undo } from '../../lib/undo.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';

/** Who holds a root's mount; it goes with the last of them. */
const holders = new WeakMap<Entry, { count: number; readonly mounted: Promise<Undo> }>();

/** Unmounts that are on their way: the same place is mounted again only after them. */
const leaving = new WeakMap<Entry, Promise<unknown>>();

/** Mounts a container's root, or holds it once more. Each call wants one `releaseRoot`. */
export async function mountRoot(context: Context, entry: Entry): Promise<void> {
  // Somebody else's, mounted already.
  if (entry.spec.rootfs !== undefined) return;
  const held = holders.get(entry);
  if (held !== undefined) {
    held.count++;
    await held.mounted;
    return;
  }
  // What goes away with its container needn't be synced at the end.
  const mount = (): Promise<Undo> => context.images.snapshots.mount(entry.id, entry.rootfs, { volatile: entry.spec.autoRemove });
  const before = leaving.get(entry);
  const fresh = { count: 1, mounted: before === undefined ? mount() : before.then(mount) };
  holders.set(entry, fresh);
  try {
    await fresh.mounted;
  } catch (error) {
    holders.delete(entry);
    throw error;
  }
}

/** Takes up a mount that an earlier daemon made. */
export function adoptRoot(context: Context, entry: Entry): void {
  holders.set(entry, { count: 1, mounted: Promise.resolve(() => context.host.mounts.unmount(entry.rootfs)) });
}

export async function releaseRoot(entry: Entry): Promise<void> {
  const held = holders.get(entry);
  if (held === undefined || --held.count > 0) return;
  holders.delete(entry);
  const gone = held.mounted.then((unmount) => unmount());
  const settled = gone.catch(() => undefined); // told to this caller
  leaving.set(entry, settled);
  try {
    await gone;
  } finally {
    if (leaving.get(entry) === settled) leaving.delete(entry);
  }
}

/** Lends the container's root, mounted, whether it runs or not. */
export async function withRoot<T>(context: Context, entry: Entry, work: (rootfs: string) => Promise<T>): Promise<T> {
  await mountRoot(context, entry);
  try {
    return await work(entry.rootfs);
  } finally {
    await releaseRoot(entry);
  }
}
