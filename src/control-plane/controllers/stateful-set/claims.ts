import type { EventRecorder } from '../../../client/events.ts';
import type { Informer } from '../../../client/informer.ts';
import { persistentVolumeClaims, pods, statefulSets } from '../../../client/resources.ts';
import type { Transport } from '../../../client/transport.ts';
import { isCode, LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { StatefulSet } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject, OwnerReference } from '../../../types/kubernetes/meta.ts';
import { semanticEqual } from '../shared/equal.ts';
import { controllerReference } from '../shared/owner.ts';
import { eventTarget } from '../shared/target.ts';
import { claimsOf, isInRange, ordinalOf } from './identity.ts';

/** Makes the claims of a set's pods, and keeps their owners as the retention policy says. */
export class StatefulClaims {
  readonly #transport: Transport;
  readonly #events: EventRecorder;
  readonly #claims: Informer<PersistentVolumeClaim>;

  constructor(transport: Transport, events: EventRecorder, claims: Informer<PersistentVolumeClaim>) {
    this.#transport = transport;
    this.#events = events;
    this.#claims = claims;
  }

  /** @throws LongshoreError `conflict` while a claim of that name is being deleted */
  async create(set: StatefulSet, pod: Pod): Promise<void> {
    const namespace = set.metadata!.namespace!;
    for (const claim of claimsOf(set, ordinalOf(set, pod)!).values()) {
      const name = claim.metadata!.name!;
      const present = this.#get(namespace, name);
      if (present?.metadata!.deletionTimestamp !== undefined) {
        throw new LongshoreError('conflict', `pvc ${name} is being deleted`, { object: `persistentvolumeclaim ${namespace}/${name}` });
      }
      if (present !== undefined) continue;
      const event = (type: 'Normal' | 'Warning', outcome: string): void =>
        this.#events.event(eventTarget(statefulSets, set), type, type === 'Normal' ? 'SuccessfulCreate' : 'FailedCreate', outcome);
      try {
        await this.#transport.create<PersistentVolumeClaim>(persistentVolumeClaims, namespace, claim);
        event('Normal', `Create Claim ${name} Pod ${pod.metadata!.name} in StatefulSet ${set.metadata!.name} success`);
      } catch (error) {
        if (isCode(error, 'already-exists')) continue; // the cache is behind
        event('Warning', `Create Claim ${name} for Pod ${pod.metadata!.name} in StatefulSet ${set.metadata!.name} failed error: ${messageOf(error)}`);
        throw error;
      }
    }
  }

  /** True when a claim still belongs to an earlier pod of that name, and will go with it: its successor must wait. */
  areStale(set: StatefulSet, ordinal: number): boolean {
    if (set.spec!.persistentVolumeClaimRetentionPolicy?.whenScaled !== 'Delete') return false;
    const podName = `${set.metadata!.name}-${ordinal}`;
    return [...claimsOf(set, ordinal).values()].some((claim) => {
      const present = this.#get(set.metadata!.namespace!, claim.metadata!.name!);
      return present?.metadata!.ownerReferences?.some(({ kind, apiVersion, name }) => kind === 'Pod' && apiVersion === 'v1' && name === podName) ?? false;
    });
  }

  /** Who owns a claim decides with whom it goes: the set, the pod that was scaled away, or nobody. */
  async syncOwners(set: StatefulSet, pod: Pod): Promise<void> {
    const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec!.persistentVolumeClaimRetentionPolicy ?? {};
    const ordinal = ordinalOf(set, pod)!;
    const scaledAway = !isInRange(set, ordinal);
    const ofPod = whenScaled === 'Delete' && scaledAway;
    const ofSet = whenDeleted === 'Delete' && !ofPod;
    for (const claim of claimsOf(set, ordinal).values()) {
      const present = this.#get(set.metadata!.namespace!, claim.metadata!.name!);
      if (present === undefined || isStale(present, set, 'StatefulSet') || isStale(present, pod, 'Pod')) continue;
      const others = (present.metadata!.ownerReferences ?? []).filter(({ uid }) => uid !== set.metadata!.uid && uid !== pod.metadata!.uid);
      const foreign = (ofPod || ofSet) && others.some(({ controller }) => controller);
      if (foreign) {
        this.#events.event(
          eventTarget(statefulSets, set),
          'Warning',
          'ConflictingController',
          `PersistentVolumeClaim ${claim.metadata!.name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`,
        );
      }
      const wanted: OwnerReference[] = [
        ...others,
        ...(ofSet && !foreign ? [controllerReference(statefulSets, set)] : []),
        ...(ofPod && !foreign ? [controllerReference(pods, pod)] : []),
      ];
      if (semanticEqual(wanted, present.metadata!.ownerReferences)) continue;
      await this.#transport.update<PersistentVolumeClaim>(persistentVolumeClaims, present.metadata!.namespace, present.metadata!.name!, {
        ...present,
        metadata: { ...present.metadata, ownerReferences: wanted },
      });
    }
  }

  #get(namespace: string, name: string): PersistentVolumeClaim | undefined {
    return this.#claims.store.get(`${namespace}/${name}`);
  }
}

/** Owned by an earlier object of the same kind and name: the garbage collector's business. */
function isStale(claim: PersistentVolumeClaim, owner: KubeObject, kind: string): boolean {
  return (
    claim.metadata!.ownerReferences?.some(
      (reference) => reference.kind === kind && reference.name === owner.metadata!.name && reference.uid !== owner.metadata!.uid,
    ) ?? false
  );
}
