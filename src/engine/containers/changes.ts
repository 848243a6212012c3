type Change = { readonly path: string; readonly kind: 0 | 1 | 2 };

/** What the runtime makes in the root to mount on: nobody's change. */
const MOUNT_POINTS = new Set([
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/dev/console',
  '/dev/pts',
  '/dev/shm',
  '/dev/mqueue',
  '/sbin/docker-init',
  '/dev',
  '/proc',
  '/sys',
]);

/** The changes without the places on which the engine mounts, and without folders that changed by these alone. */
export function withoutMountPoints(changes: readonly Change[]): Change[] {
  const kept = changes.filter((change) => change.kind !== 1 || !MOUNT_POINTS.has(change.path));
  const parents = new Set(kept.map((change) => change.path.slice(0, change.path.lastIndexOf('/'))));
  const dropped = new Set(
    changes
      .filter((change) => change.kind === 1 && MOUNT_POINTS.has(change.path))
      .map((change) => change.path.slice(0, change.path.lastIndexOf('/'))),
  );
  return kept.filter((change) => !(change.kind === 0 && dropped.has(change.path) && !parents.has(change.path)));
}
