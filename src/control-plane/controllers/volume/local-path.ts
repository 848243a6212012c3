import { LongshoreError } from '../../../lib/errors.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../types/kubernetes/generated/core-v1.ts';
import type { StorageClass } from '../../../types/kubernetes/generated/storage-v1.ts';
import type { ControllersOptions } from '../options.ts';
import { requested } from './match.ts';

/** Makes volumes that are folders of a node. */
export const PROVISIONER = 'longshore.dev/local-path';

/** The class that claims get when they name none: folders on the node that the pod was placed on. */
export const STANDARD_CLASS: StorageClass = {
  apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: PROVISIONER, reclaimPolicy: 'Delete', volumeBindingMode: 'WaitForFirstConsumer',
};

/**
 * A volume for the claim: a folder of its own beneath `root`, on one node; the
 * node's agent makes it when a pod first mounts it.
 * @throws LongshoreError `invalid` for what a folder can't be, `unavailable` while there is no node
 */
export function localVolume(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  nodeName: string | undefined,
  root: string,
  nodes: readonly string[],
): PersistentVolume {
  const { namespace, name, uid, resourceVersion } = claim.metadata!;
  const spec = claim.spec!;
  const object = `persistentvolumeclaim ${namespace}/${name}`;
  if (spec.volumeMode === 'Block') {
    throw new LongshoreError('invalid', 'a local path cannot serve as a block device', {
      object,
      remedy: 'Ask for volumeMode Filesystem.',
    });
  }
  if (spec.selector !== undefined) {
    throw new LongshoreError('invalid', 'claim.Spec.Selector is not supported for dynamic provisioning', { object });
  }
  const shared = spec.accessModes?.find((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany');
  if (shared !== undefined) {
    throw new LongshoreError('invalid', `a local path is on one node and cannot be ${shared}`, {
      object,
      remedy: 'Ask for ReadWriteOnce or ReadWriteOncePod.',
    });
  }
  const node = nodeName ?? nodes.toSorted()[0];
  if (node === undefined) throw new LongshoreError('unavailable', 'there is no node to make the volume on', { object });
  const volumeName = `pvc-${uid}`;
  return {
    apiVersion: 'v1', kind: 'PersistentVolume',
    metadata: { name: volumeName, annotations: { 'pv.kubernetes.io/provisioned-by': PROVISIONER } },
    spec: {
      capacity: { storage: requested(claim) },
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      volumeMode: 'Filesystem',
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata!.name!,
      hostPath: { path: `${root}/${volumeName}_${namespace}_${name}`, type: 'DirectoryOrCreate' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: namespace!, name: name!, uid: uid!, resourceVersion: resourceVersion! },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] } },
      ...(storageClass.mountOptions && { mountOptions: storageClass.mountOptions }),
    },
  };
}

/**
 * Deletes the data of a volume that we made. @throws LongshoreError when its
 * node's folders cannot be reached from here
 */
export async function removeLocalVolume(volume: PersistentVolume, options: ControllersOptions): Promise<void> {
  const object = `persistentvolume ${volume.metadata!.name}`;
  const path = volume.spec?.hostPath?.path;
  const root = options.localPathRoot;
  const node = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms?.[0]?.matchExpressions?.[0]?.values?.[0];
  if (
    path === undefined ||
    root === undefined ||
    node === undefined ||
    !path.startsWith(`${root}/pvc-`) ||
    path.includes('/..') ||
    volume.metadata!.annotations?.['pv.kubernetes.io/provisioned-by'] !== PROVISIONER
  ) {
    throw new LongshoreError('invalid', 'the volume was not made by the local path provisioner, so its data is not deleted', {
      object,
      remedy: 'Delete the data and the volume yourself.',
    });
  }
  if (options.removeLocalPath === undefined) {
    throw new LongshoreError('not-implemented', `the folder ${path} of node ${node} cannot be deleted from here`, {
      object,
      remedy: 'Delete the folder and the volume yourself.',
    });
  }
  await options.removeLocalPath(node, path);
}
