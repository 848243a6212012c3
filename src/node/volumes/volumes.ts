import type { Pod, Volume } from '../../types/kubernetes/generated/core-v1.ts';

/**
 * # Volumes of pods
 *
 * Sets up what `spec.volumes` names beneath the pod's own folder, and takes it
 * away again. What comes from the API (ConfigMaps, Secrets, tokens, fields) is
 * written whole or not at all, and kept up to date while the pod runs.
 */
export interface PodVolumes {
  /**
   * Makes every volume of the pod ready; again for a pod that has them changes nothing.
   * @returns path on the host by volume name
   * @throws LongshoreError `not-found` (a ConfigMap, Secret or claim is missing: names it), `invalid`, `not-implemented` (a kind of volume that we don't have)
   */
  setUp(pod: Pod, signal: AbortSignal): Promise<ReadonlyMap<string, MountedVolume>>;
  /**
   * Mounts a part of a volume where no container can put a link in its way; anew for each run of a container.
   * @param name of the mount, unique in the pod: its folder is called so
   * @returns the path to give to the container
   * @throws LongshoreError `invalid` for a path that leads out of the volume
   */
  subPath(pod: Pod, volume: MountedVolume, path: string, name: string): Promise<string>;
  /** Writes again what may have changed: ConfigMaps, Secrets, labels, tokens that near their end. */
  refresh(pod: Pod): Promise<void>;
  /** The first emptyDir on disk that holds more than its `sizeLimit`. */
  outgrown(pod: Pod): Promise<Volume | undefined>;
  /** Unmounts and removes all. Safe to call twice. */
  tearDown(podUid: string): Promise<void>;
  /** Pods that have a folder: for the clean-up of those which are gone. */
  list(): Promise<readonly string[]>;
}

export interface MountedVolume {
  readonly path: string;
  readonly volume: Volume;
  readonly readOnly: boolean;
}

/** The pod's own folder beneath the node's. */
export function podFolder(root: string, podUid: string): string {
  if (!/^[\w-]+$/.test(podUid)) throw new RangeError(`not a pod's uid: ${podUid}`);
  return `${root}/pods/${podUid}`;
}
