import type { Container, EphemeralContainer, Pod, PodSpec, Volume } from '../../../types/kubernetes/generated/core-v1.ts';

/** Names of objects in a pod's own namespace that the pod needs on its node. */
export interface PodReferences {
  readonly secrets: ReadonlySet<string>;
  readonly configMaps: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
  /** Claims of devices: named by the pod, or made for it from a template. */
  readonly resourceClaims: ReadonlySet<string>;
  readonly serviceAccount: string;
}

/** All that a pod refers to: volumes, environments (ephemeral containers' too), pull secrets, its account. */
export function podReferences(pod: Pod): PodReferences {
  const secrets = new Set<string>();
  const configMaps = new Set<string>();
  const claims = new Set<string>();
  const resourceClaims = new Set<string>();
  const spec: Partial<PodSpec> = pod.spec ?? {};
  for (const { resourceClaimName } of [...(spec.resourceClaims ?? []), ...(pod.status?.resourceClaimStatuses ?? [])]) {
    add(resourceClaims, resourceClaimName);
  }
  for (const { name } of spec.imagePullSecrets ?? []) add(secrets, name);
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    environment(container, secrets, configMaps);
  }
  for (const volume of spec.volumes ?? []) {
    fromVolume(volume, secrets, configMaps);
    add(claims, volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral !== undefined) add(claims, `${pod.metadata?.name ?? ''}-${volume.name}`);
  }
  return { secrets, configMaps, claims, resourceClaims, serviceAccount: spec.serviceAccountName ?? '' };
}

function environment(container: Container | EphemeralContainer, secrets: Set<string>, configMaps: Set<string>): void {
  for (const source of container.envFrom ?? []) {
    add(secrets, source.secretRef?.name);
    add(configMaps, source.configMapRef?.name);
  }
  for (const { valueFrom } of container.env ?? []) {
    add(secrets, valueFrom?.secretKeyRef?.name);
    add(configMaps, valueFrom?.configMapKeyRef?.name);
  }
}

function fromVolume(volume: Volume, secrets: Set<string>, configMaps: Set<string>): void {
  add(secrets, volume.secret?.secretName);
  add(configMaps, volume.configMap?.name);
  for (const source of volume.projected?.sources ?? []) {
    add(secrets, source.secret?.name);
    add(configMaps, source.configMap?.name);
  }
  add(secrets, volume.csi?.nodePublishSecretRef?.name);
  add(secrets, volume.azureFile?.secretName);
  for (const old of [volume.cephfs, volume.flexVolume, volume.iscsi, volume.rbd, volume.scaleIO, volume.storageos]) {
    add(secrets, old?.secretRef?.name);
  }
}

function add(set: Set<string>, name: string | undefined): void {
  if (name !== undefined && name !== '') set.add(name);
}
