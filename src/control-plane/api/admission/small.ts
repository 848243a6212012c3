import type { Node, PersistentVolumeClaim, Taint, Toleration } from '../../../types/kubernetes/generated/core-v1.ts';
import type { Ingress, IngressClass } from '../../../types/kubernetes/generated/networking-v1.ts';
import type { RuntimeClass } from '../../../types/kubernetes/generated/node-v1.ts';
import type { StorageClass } from '../../../types/kubernetes/generated/storage-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { Access } from '../authz/access.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { concerns, draftPod, refuse } from './plugin.ts';

// Plug-ins of a few lines each.

const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

/** The namespaces without which a cluster is none stay. (That a namespace exists is checked by the registry, which knows of writes under way.) */
export const namespaceLifecycle: AdmissionPlugin = {
  name: 'NamespaceLifecycle',
  handles: (at) => concerns(at, '', 'namespaces', 'DELETE'),
  validate(at) {
    if (at.name !== undefined && IMMORTAL.has(at.name)) throw refuse(at, 'this namespace may not be deleted');
  },
};

const NOT_READY: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

/** A node is tainted from its first moment until it is known to be ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  handles: (at) => concerns(at, '', 'nodes', 'CREATE'),
  mutate(at) {
    const node = at.object as Node;
    const taints = node.spec?.taints ?? [];
    if (taints.some((taint) => taint.key === NOT_READY.key && taint.effect === NOT_READY.effect)) return undefined;
    return { ...node, spec: { ...node.spec, taints: [...taints, NOT_READY] } } as KubeObject;
  },
};

const UNWELL = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const TOLERATED_S = 300;

/** A pod stays five minutes on a node that has fallen silent, unless it says otherwise. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  handles: (at) => concerns(at, '', 'pods', 'CREATE', 'UPDATE'),
  mutate(at) {
    const pod = draftPod(at);
    const tolerations = pod.spec.tolerations ?? [];
    const missing = UNWELL.filter((key) => !tolerations.some((one) => tolerates(one, key)));
    if (missing.length === 0) return undefined;
    pod.spec.tolerations = [...tolerations, ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATED_S }))];
    return pod;
  },
};

function tolerates(toleration: Toleration, key: string): boolean {
  return (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === 'NoExecute');
}

function newestDefault<T extends KubeObject>(all: readonly T[], annotation: string): T | undefined {
  let found: T | undefined;
  for (const one of all) {
    if (one.metadata?.annotations?.[annotation] !== 'true') continue;
    const [mine, best] = [one.metadata.creationTimestamp ?? '', found?.metadata?.creationTimestamp ?? ''];
    if (found === undefined || mine > best || (mine === best && one.metadata.name! < found.metadata!.name!)) found = one;
  }
  return found;
}

/** A claim that names no storage class gets the default one. */
export function defaultStorageClass(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    handles: (at) => concerns(at, '', 'persistentvolumeclaims', 'CREATE'),
    mutate(at) {
      const claim = at.object as PersistentVolumeClaim;
      if (
        claim.spec?.storageClassName !== undefined ||
        claim.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined
      ) {
        return undefined;
      }
      const found = newestDefault(
        lookup.list<StorageClass>('storage.k8s.io', 'storageclasses', undefined),
        'storageclass.kubernetes.io/is-default-class',
      );
      return found === undefined
        ? undefined
        : ({ ...claim, spec: { ...claim.spec, storageClassName: found.metadata!.name! } } as KubeObject);
    },
  };
}

/** An ingress that names no class gets the default one. */
export function defaultIngressClass(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    handles: (at) => concerns(at, 'networking.k8s.io', 'ingresses', 'CREATE'),
    mutate(at) {
      const ingress = at.object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata?.annotations?.['kubernetes.io/ingress.class'] !== undefined) {
        return undefined;
      }
      const found = newestDefault(
        lookup.list<IngressClass>('networking.k8s.io', 'ingressclasses', undefined),
        'ingressclass.kubernetes.io/is-default-class',
      );
      return found === undefined
        ? undefined
        : ({ ...ingress, spec: { ...ingress.spec, ingressClassName: found.metadata!.name! } } as KubeObject);
    },
  };
}

/** A pod's runtime class must exist; it brings the pod's overhead. */
export function runtimeClass(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'RuntimeClass',
    handles: (at) => concerns(at, '', 'pods', 'CREATE'),
    mutate(at) {
      const pod = draftPod(at);
      const name = pod.spec.runtimeClassName;
      if (!name) return undefined;
      const found = lookup.get<RuntimeClass>('node.k8s.io', 'runtimeclasses', undefined, name);
      if (found === undefined) throw refuse(at, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
      const overhead = found.overhead?.podFixed;
      if (overhead !== undefined && pod.spec.overhead === undefined) pod.spec.overhead = overhead;
      if (found.scheduling?.nodeSelector !== undefined) {
        pod.spec.nodeSelector = { ...pod.spec.nodeSelector, ...found.scheduling.nodeSelector };
      }
      if (found.scheduling?.tolerations?.length) pod.spec.tolerations = [...(pod.spec.tolerations ?? []), ...found.scheduling.tolerations];
      return pod;
    },
  };
}

const IN_USE: Readonly<Record<string, string>> = { persistentvolumeclaims: 'kubernetes.io/pvc-protection', persistentvolumes: 'kubernetes.io/pv-protection' };

/** A volume or claim stays until nothing uses it any more: a controller takes the finalizer off then. */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: (at) => concerns(at, '', 'persistentvolumeclaims', 'CREATE') || concerns(at, '', 'persistentvolumes', 'CREATE'),
  mutate(at) {
    const finalizer = IN_USE[at.resource.resource]!;
    const finalizers = at.object?.metadata?.finalizers ?? [];
    return finalizers.includes(finalizer) ? undefined : { ...at.object, metadata: { ...at.object?.metadata, finalizers: [...finalizers, finalizer] } };
  },
};

/** A patch or an update that makes an object needs the right to create it as well. */
export function createOnWrite(access: Access): AdmissionPlugin {
  return {
    name: 'CreateOnWrite',
    handles: (at) => at.operation === 'CREATE' && at.subresource === undefined,
    validate(at: AdmissionAttributes) {
      const { verb, user } = at.context;
      if (verb === 'patch' || verb === 'update') access.check(user, 'create', at.resource, undefined, at.namespace, at.name);
    },
  };
}
