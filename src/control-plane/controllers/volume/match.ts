import { labelMatcher } from '../../../client/label-selector.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../../types/kubernetes/generated/core-v1.ts';
import { compareQuantities } from '../../../types/kubernetes/quantity.ts';
import { fitsNode } from '../shared/node-affinity.ts';

/** Storage that a claim asks for. */
export function requested(claim: PersistentVolumeClaim): string {
  return claim.spec?.resources?.requests?.['storage'] ?? '0';
}

/** True when the volume was set aside for this claim, before or by the binder. */
export function isFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  return ref !== undefined && ref.name === claim.metadata!.name && ref.namespace === claim.metadata!.namespace && (!ref.uid || ref.uid === claim.metadata!.uid);
}

/** True when the volume gives what the claim asks for. @param node where it must be reachable, if that is known */
export function satisfies(volume: PersistentVolume, claim: PersistentVolumeClaim, node: Node | undefined): boolean {
  const spec = volume.spec!;
  const wanted = claim.spec!;
  if (volume.metadata!.deletionTimestamp !== undefined) return false;
  if (
    (spec.storageClassName ?? '') !== (wanted.storageClassName ?? '') ||
    (spec.volumeMode ?? 'Filesystem') !== (wanted.volumeMode ?? 'Filesystem')
  ) {
    return false;
  }
  if (!(wanted.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode))) return false;
  if (compareQuantities(spec.capacity?.['storage'] ?? '0', requested(claim)) < 0) return false;
  if (wanted.selector !== undefined && !labelMatcher(wanted.selector)(volume.metadata!.labels)) return false;
  const affinity = spec.nodeAffinity?.required;
  return (
    node === undefined ||
    affinity === undefined ||
    fitsNode({ containers: [], affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: affinity } } }, node)
  );
}

/** The volume set aside for the claim, or else the smallest free one that satisfies it. */
export function bestMatch(volumes: Iterable<PersistentVolume>, claim: PersistentVolumeClaim, node: Node | undefined): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (isFor(volume, claim)) return volume;
    if (volume.spec?.claimRef !== undefined || volume.status?.phase !== 'Available' || !satisfies(volume, claim, node)) continue;
    if (best === undefined || compareQuantities(volume.spec!.capacity?.['storage'] ?? '0', best.spec!.capacity?.['storage'] ?? '0') < 0) {
      best = volume;
    }
  }
  return best;
}
