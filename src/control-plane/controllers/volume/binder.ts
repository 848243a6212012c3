import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { objectKey } from '../../../client/object-key.ts';
import { RecentWrites } from '../../../client/recent-writes.ts';
import { nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '../../../client/resources.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus } from '../../../types/kubernetes/generated/core-v1.ts';
import type { StorageClass } from '../../../types/kubernetes/generated/storage-v1.ts';
import type { ObjectMeta, Writable } from '../../../types/kubernetes/meta.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { semanticEqual } from '../shared/equal.ts';
import { eventTarget } from '../shared/target.ts';
import { localVolume, PROVISIONER, removeLocalVolume } from './local-path.ts';
import { bestMatch, isFor } from './match.ts';

const BOUND_BY = 'pv.kubernetes.io/bound-by-controller';
const COMPLETED = 'pv.kubernetes.io/bind-completed';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const PROVISIONER_NOTES = ['volume.beta.kubernetes.io/storage-provisioner', 'volume.kubernetes.io/storage-provisioner'];
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
const BY_CLASS = 'class';
const CLAIM = 'claim ';
const VOLUME = 'volume ';

/** Binds claims to volumes, has volumes made for claims that none satisfies, and reclaims volumes whose claim is gone. */
export class VolumeBinder implements RunningController {
  readonly #context: ControllerContext;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #nodes: Informer<Node>;
  readonly #controller: Controller;
  readonly #writes: RecentWrites<PersistentVolume>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#claims = context.informers.for<PersistentVolumeClaim>(persistentVolumeClaims);
    this.#volumes = context.informers.for<PersistentVolume>(persistentVolumes);
    this.#classes = context.informers.for<StorageClass>(storageClasses);
    this.#nodes = context.informers.for<Node>(nodes);
    this.#volumes.addIndex(BY_CLASS, ({ spec }) => spec?.storageClassName ?? '');
    this.#writes = new RecentWrites(this.#volumes, context.clock);
    // One worker: two claims must not take the same volume.
    this.#controller = new Controller({
      name: 'persistent-volume-binder',
      clock: context.clock,
      logger: context.logger,
      workers: 1,
      maxDelayMs: 60_000,
      informers: [this.#claims, this.#volumes, this.#classes, this.#nodes],
      sync: (key) => (key.startsWith(CLAIM) ? this.#syncClaim(key.slice(CLAIM.length)) : this.#syncVolume(key.slice(VOLUME.length))),
      resync: () => this.#enqueueAll(),
    });
    this.#controller.watch(this.#claims, (claim) => [CLAIM + objectKey(claim), ...(claim.spec?.volumeName ? [VOLUME + claim.spec.volumeName] : [])]);
    this.#controller.watch(this.#volumes, (volume) => {
      const ref = volume.spec?.claimRef;
      return [VOLUME + volume.metadata!.name, ...(ref ? [`${CLAIM}${ref.namespace}/${ref.name}`] : [])];
    });
    // A volume that became free, or a class that was made, may be what some claim waits for.
    this.#volumes.on({
      add: (volume) => this.#wakeUnbound(volume),
      update: (old, volume) => old.status?.phase !== volume.status?.phase && this.#wakeUnbound(volume),
    });
    this.#classes.on({ add: () => this.#wakeUnbound(), update: () => this.#wakeUnbound() });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #enqueueAll(): void {
    for (const key of this.#claims.store.keys()) this.#controller.enqueue(CLAIM + key);
    for (const key of this.#volumes.store.keys()) this.#controller.enqueue(VOLUME + key);
  }

  #wakeUnbound(volume?: PersistentVolume): void {
    if (volume !== undefined && volume.status?.phase !== 'Available') return;
    for (const claim of this.#claims.store.values()) if (!claim.spec?.volumeName) this.#controller.enqueue(CLAIM + objectKey(claim));
  }

  #event(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(eventTarget(persistentVolumeClaims, claim), type, reason, message);
  }

  async #syncClaim(key: string): Promise<void> {
    const claim = this.#claims.store.get(key);
    if (claim === undefined || (claim.metadata!.deletionTimestamp !== undefined && !claim.spec?.volumeName)) return;
    if (claim.spec?.volumeName) return this.#syncBoundClaim(claim, claim.spec.volumeName);
    if (claim.spec?.storageClassName === undefined && (await this.#takeDefaultClass(claim))) return;
    const storageClass = this.#classes.store.get(claim.spec?.storageClassName ?? '');
    const nodeName = claim.metadata!.annotations?.[SELECTED_NODE];
    const node = nodeName === undefined ? undefined : this.#nodes.store.get(nodeName);
    const volumes = this.#writes.over(
      this.#volumes.store.byIndex(BY_CLASS, claim.spec?.storageClassName ?? ''),
      (volume) => (volume.spec?.storageClassName ?? '') === (claim.spec?.storageClassName ?? ''),
    );
    const waits = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && nodeName === undefined;
    const match = waits ? volumes.find((volume) => isFor(volume, claim)) : bestMatch(volumes, claim, node);
    if (match !== undefined) return this.#bind(claim, match);
    await this.#setPhase(claim, { phase: 'Pending' });
    if (waits) {
      this.#event(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
    } else if (storageClass !== undefined && storageClass.provisioner !== NO_PROVISIONER) {
      await this.#provision(claim, storageClass, nodeName);
    } else if (claim.spec?.storageClassName && storageClass === undefined) {
      this.#event(claim, 'Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${claim.spec.storageClassName}" not found`);
    } else {
      this.#event(claim, 'Normal', 'FailedBinding', 'no persistent volumes available for this claim and no storage class is set');
    }
  }

  /** A claim that names no class gets the default one, also one that was made after it. @returns whether there is one */
  async #takeDefaultClass(claim: PersistentVolumeClaim): Promise<boolean> {
    const defaults = [...this.#classes.store.values()].filter(({ metadata }) => metadata!.annotations?.[DEFAULT_CLASS] === 'true');
    // The newest, should there be several.
    const chosen = defaults.toSorted((a, b) => (`${a.metadata!.creationTimestamp}` < `${b.metadata!.creationTimestamp}` ? 1 : -1))[0];
    if (chosen === undefined) return false;
    const { namespace, name } = claim.metadata!;
    await this.#context.transport.update<PersistentVolumeClaim>(persistentVolumeClaims, namespace, name!, {
      ...claim,
      spec: { ...claim.spec, storageClassName: chosen.metadata!.name! },
    });
    return true;
  }

  async #provision(claim: PersistentVolumeClaim, storageClass: StorageClass, nodeName: string | undefined): Promise<void> {
    const { options, transport } = this.#context;
    const { provisioner } = storageClass;
    const noted = PROVISIONER_NOTES.every((note) => claim.metadata!.annotations?.[note] === provisioner);
    let current = claim;
    if (!noted) {
      const annotations = { ...claim.metadata!.annotations, ...Object.fromEntries(PROVISIONER_NOTES.map((note) => [note, provisioner])) };
      current = await transport.update<PersistentVolumeClaim>(persistentVolumeClaims, claim.metadata!.namespace, claim.metadata!.name!, {
        ...claim,
        metadata: { ...claim.metadata, annotations },
      });
    }
    if (provisioner !== PROVISIONER || options.localPathRoot === undefined) {
      this.#event(
        current,
        'Normal',
        'ExternalProvisioning',
        `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
      );
      return;
    }
    try {
      const made = await transport.create<PersistentVolume>(
        persistentVolumes,
        undefined,
        localVolume(current, storageClass, nodeName, options.localPathRoot, [...this.#nodes.store.keys()]),
      );
      this.#writes.note(made, undefined);
      this.#event(current, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${made.metadata!.name}`);
      await this.#bind(current, made);
    } catch (error) {
      if (isCode(error, 'already-exists')) return; // it was made before; the cache is behind
      this.#event(
        current,
        'Warning',
        'ProvisioningFailed',
        `failed to provision volume with StorageClass "${storageClass.metadata!.name}": ${messageOf(error)}`,
      );
      throw error;
    }
  }

  /** The volume first, since only one claim can have it; then the claim. */
  async #bind(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
    const { transport } = this.#context;
    const { namespace, name, uid, resourceVersion, annotations } = claim.metadata!;
    let taken = volume;
    if (volume.spec!.claimRef?.uid !== uid) {
      const byUs = volume.spec!.claimRef === undefined;
      const metadata: ObjectMeta = {
        ...volume.metadata,
        ...(byUs && { annotations: { ...volume.metadata!.annotations, [BOUND_BY]: 'yes' } }),
      };
      const claimRef = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: namespace!,
        name: name!,
        uid: uid!,
        resourceVersion: resourceVersion!,
      };
      taken = await transport.update<PersistentVolume>(persistentVolumes, undefined, volume.metadata!.name!, {
        ...volume,
        metadata,
        spec: { ...volume.spec, claimRef },
      });
      this.#writes.note(taken, this.#volumes.store.get(volume.metadata!.name!));
    }
    taken = await this.#setVolumePhase(taken, 'Bound');
    const volumeName = taken.metadata!.name!;
    const bound = await transport.update<PersistentVolumeClaim>(persistentVolumeClaims, namespace, name!, {
      ...claim,
      metadata: {
        ...claim.metadata,
        annotations: { ...annotations, [COMPLETED]: 'yes', ...(claim.spec!.volumeName !== volumeName && { [BOUND_BY]: 'yes' }) },
      },
      spec: { ...claim.spec, volumeName },
    });
    await this.#setPhase(bound, boundStatus(taken));
  }

  async #syncBoundClaim(claim: PersistentVolumeClaim, volumeName: string): Promise<void> {
    const volume = this.#writes.over(
      [this.#volumes.store.get(volumeName)].filter((found) => found !== undefined),
      ({ metadata }) => metadata!.name === volumeName,
    )[0];
    const completed = claim.metadata!.annotations?.[COMPLETED] !== undefined;
    if (volume === undefined) {
      if (!completed) return this.#setPhase(claim, { phase: 'Pending' });
      if (claim.status?.phase !== 'Lost') {
        this.#event(claim, 'Warning', 'ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
      }
      return this.#setPhase(claim, { phase: 'Lost' });
    }
    if (volume.spec!.claimRef !== undefined && !isFor(volume, claim)) {
      if (!completed) {
        this.#event(claim, 'Warning', 'FailedBinding', `volume "${volumeName}" already bound to a different claim.`);
        return this.#setPhase(claim, { phase: 'Pending' });
      }
      if (claim.status?.phase !== 'Lost') {
        this.#event(claim, 'Warning', 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
      }
      return this.#setPhase(claim, { phase: 'Lost' });
    }
    if (!completed || volume.spec!.claimRef?.uid !== claim.metadata!.uid || volume.status?.phase !== 'Bound') {
      return this.#bind(claim, volume);
    }
    await this.#setPhase(claim, boundStatus(volume));
  }

  async #setPhase(claim: PersistentVolumeClaim, status: Writable<PersistentVolumeClaimStatus>): Promise<void> {
    const { conditions } = claim.status ?? {};
    const next = { ...(status.phase !== 'Pending' && claim.status), ...status, ...(conditions && { conditions }) };
    if (semanticEqual(next, claim.status)) return;
    await this.#context.transport.update<PersistentVolumeClaim>(
      persistentVolumeClaims,
      claim.metadata!.namespace,
      claim.metadata!.name!,
      { ...claim, status: next },
      { subresource: 'status' },
    );
  }

  async #setVolumePhase(volume: PersistentVolume, phase: string, message?: string): Promise<PersistentVolume> {
    if (volume.status?.phase === phase && volume.status.message === message) return volume;
    const { lastPhaseTransitionTime: _, message: _old, ...rest } = volume.status ?? {};
    const updated = await this.#context.transport.update<PersistentVolume>(
      persistentVolumes,
      undefined,
      volume.metadata!.name!,
      { ...volume, status: { ...rest, phase, ...(message !== undefined && { message }) } },
      { subresource: 'status' },
    );
    this.#writes.note(updated, this.#volumes.store.get(volume.metadata!.name!));
    return updated;
  }

  async #syncVolume(name: string): Promise<void> {
    const volume = this.#writes.over([this.#volumes.store.get(name)].filter((found) => found !== undefined), () => false)[0];
    if (volume === undefined) return;
    const ref = volume.spec!.claimRef;
    if (ref === undefined || !ref.uid) {
      if (volume.metadata!.deletionTimestamp === undefined) await this.#setVolumePhase(volume, 'Available');
      return;
    }
    const claim = this.#claims.store.get(`${ref.namespace}/${ref.name}`);
    if (claim?.metadata!.uid === ref.uid) {
      if (claim.spec?.volumeName === name) await this.#setVolumePhase(volume, 'Bound');
      return; // or the claim is yet to be told, which its own sync does
    }
    if (claim === undefined && (await this.#claimExists(ref.namespace, ref.name!, ref.uid))) return;
    if (volume.status?.phase !== 'Released' && volume.status?.phase !== 'Failed') {
      await this.#reclaim(await this.#setVolumePhase(volume, 'Released'));
    } else {
      await this.#reclaim(volume);
    }
  }

  async #claimExists(namespace: string | undefined, name: string, uid: string): Promise<boolean> {
    try {
      return (await this.#context.transport.get<PersistentVolumeClaim>(persistentVolumeClaims, namespace, name)).metadata!.uid === uid;
    } catch (error) {
      if (isCode(error, 'not-found')) return false;
      throw error;
    }
  }

  async #reclaim(volume: PersistentVolume): Promise<void> {
    const { transport, events, options } = this.#context;
    const policy = volume.spec!.persistentVolumeReclaimPolicy ?? 'Retain';
    if (policy === 'Retain') return;
    const fail = async (reason: string, message: string): Promise<void> => {
      if (volume.status?.phase === 'Failed' && volume.status.message === message) return;
      events.event(eventTarget(persistentVolumes, volume), 'Warning', reason, message);
      await this.#setVolumePhase(volume, 'Failed', message);
    };
    if (policy !== 'Delete') {
      return fail(
        'VolumeRecycleFailed',
        `reclaim policy ${policy} is not supported; delete the volume, or set its policy to Retain or Delete`,
      );
    }
    const { annotations } = volume.metadata!;
    // Volumes of others are deleted by those who made them.
    if (annotations?.[PROVISIONED_BY] !== undefined && annotations[PROVISIONED_BY] !== PROVISIONER) return;
    try {
      await removeLocalVolume(volume, options);
    } catch (error) {
      return fail('VolumeFailedDelete', messageOf(error));
    }
    try {
      await transport.delete(persistentVolumes, undefined, volume.metadata!.name!, { preconditions: { uid: volume.metadata!.uid! } });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
}

function boundStatus(volume: PersistentVolume): Writable<PersistentVolumeClaimStatus> {
  return {
    phase: 'Bound',
    ...(volume.spec!.accessModes && { accessModes: [...volume.spec!.accessModes] }),
    ...(volume.spec!.capacity && { capacity: { ...volume.spec!.capacity } }),
  };
}
