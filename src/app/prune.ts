import type { Docker } from './deploy/docker.ts';

export interface PruneOptions {
  /** Also images that have a name, and all of the build cache. */
  readonly all: boolean;
  /** Also named volumes that no container uses. */
  readonly volumes: boolean;
}

export interface Pruned {
  readonly what: string;
  readonly names: readonly string[];
  readonly bytes: number;
}

/** Removes what nothing uses, in an order in which one makes the next unused. What pods use stays, as what containers use does. */
export async function prune(docker: Docker, { all, volumes }: PruneOptions): Promise<readonly Pruned[]> {
  const filters = (value: Readonly<Record<string, readonly string[]>>): string => encodeURIComponent(JSON.stringify(value));
  const steps: readonly (readonly [what: string, path: string, list: string])[] = [
    ['containers', '/containers/prune', 'ContainersDeleted'],
    ['networks', '/networks/prune', 'NetworksDeleted'],
    ...(volumes ? [['volumes', `/volumes/prune?filters=${filters({ all: ['true'] })}`, 'VolumesDeleted'] as const] : []),
    ['build-cache', `/build/prune${all ? '?all=1' : ''}`, 'CachesDeleted'],
    ['images', `/images/prune?filters=${filters({ dangling: [String(!all)] })}`, 'ImagesDeleted'],
  ];
  const done: Pruned[] = [];
  for (const [what, path, list] of steps) {
    const answer = (await docker.json('POST', path)) as Readonly<Record<string, unknown>>;
    const names = ((answer[list] ?? []) as readonly (string | { readonly Untagged?: string; readonly Deleted?: string })[]).map((each) =>
      typeof each === 'string' ? each : (each.Untagged ?? each.Deleted ?? ''),
    );
    done.push({ what, names, bytes: Number(answer.SpaceReclaimed ?? 0) });
  }
  return done;
}
