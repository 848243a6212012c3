import type { Lease } from '../../../types/kubernetes/generated/coordination-v1.ts';
import type { Node, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ResourceSlice } from '../../../types/kubernetes/generated/resource-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { nodeNameOf } from '../authz/node.ts';
import { podReferences } from '../authz/pod-references.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import { notFound } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import { jsonSame } from './json-same.ts';
import { refuse } from './plugin.ts';
import { MIRROR } from './service-account.ts';

const LEASES = 'kube-node-lease';
/** Labels of kubernetes.io that a node may set on itself; others would let it draw workloads to itself. */
const OWN_LABELS = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/windows-build',
]);
const OWN_LABEL_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

/** Keeps a node's writes to its own Node, lease and pods. The node authorizer has let these kinds through without looking at what is in them. */
export class NodeRestriction implements AdmissionPlugin {
  readonly name = 'NodeRestriction';
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    const { group, resource } = at.resource;
    if (group === '') return resource === 'pods' || resource === 'nodes' || resource === 'persistentvolumeclaims';
    return (
      (group === 'coordination.k8s.io' && resource === 'leases') ||
      (group === 'storage.k8s.io' && resource === 'csinodes') ||
      (group === 'resource.k8s.io' && resource === 'resourceslices')
    );
  }

  validate(at: AdmissionAttributes): void {
    const node = nodeNameOf(at.context.user);
    if (node === undefined) return;
    switch (at.resource.resource) {
      case 'pods': return this.#pod(node, at);
      case 'nodes': return ownNode(node, at);
      case 'leases': return ownLease(node, at);
      case 'csinodes':
        if (nameOf(at) !== node) throw refuse(at, 'can only access CSINode with the same name as the requesting node');
        return undefined;
      case 'resourceslices':
        if (at.operation === 'CREATE' && (at.object as ResourceSlice).spec?.nodeName !== node) {
          throw refuse(at, 'can only create ResourceSlice with the same NodeName as the requesting node');
        }
        return undefined;
      default:
        if (at.subresource !== 'status') throw refuse(at, 'may only update PVC status');
        return undefined;
    }
  }

  #pod(node: string, at: AdmissionAttributes): void {
    if (at.subresource === undefined) {
      if (at.operation === 'CREATE') return this.#mirrorPod(node, at);
      if (at.operation !== 'DELETE') {
        throw refuse(at, `unexpected operation "${at.operation}", node ${JSON.stringify(node)} can only create and delete mirror pods`);
      }
      const old: Pod | undefined = at.oldObject;
      if (old?.spec?.nodeName !== node) {
        throw refuse(at, `node ${JSON.stringify(node)} can only delete pods with spec.nodeName set to itself`);
      }
      return undefined;
    }
    if (at.subresource === 'status') return ownPodStatus(node, at);
    if (at.subresource !== 'eviction') {
      throw refuse(at, `unexpected pod subresource ${JSON.stringify(at.subresource)}, only 'status' and 'eviction' are allowed`);
    }
    const pod = this.#lookup.get<Pod>('', 'pods', at.namespace, nameOf(at));
    if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, nameOf(at));
    if (pod.spec?.nodeName !== node) throw refuse(at, `node ${node} can only evict pods with spec.nodeName set to itself`);
    return undefined;
  }

  #mirrorPod(node: string, at: AdmissionAttributes): void {
    const pod = at.object as Pod;
    const quoted = JSON.stringify(node);
    if (pod.metadata?.annotations?.[MIRROR] === undefined) {
      throw refuse(at, `pod does not have "${MIRROR}" annotation, node ${quoted} can only create mirror pods`);
    }
    if (pod.spec?.nodeName !== node) throw refuse(at, `node ${quoted} can only create pods with spec.nodeName set to itself`);
    const [owner, ...others] = pod.metadata.ownerReferences ?? [];
    if (owner === undefined || others.length > 0 || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
      throw refuse(at, `node ${quoted} can only create pods with an owner reference set to itself`);
    }
    if (owner.controller !== true) throw refuse(at, `node ${quoted} can only create pods with a controller owner reference set to itself`);
    if (owner.blockOwnerDeletion === true) throw refuse(at, `node ${quoted} must not set blockOwnerDeletion on an owner reference`);
    const found = this.#lookup.get<Node>('', 'nodes', undefined, node);
    if (found?.metadata?.uid !== owner.uid) {
      throw refuse(at, `node ${node} UID mismatch: expected ${owner.uid} got ${found?.metadata?.uid ?? ''}`);
    }
    const references = podReferences(pod);
    for (const [kind, names] of [
      ['secrets', references.secrets],
      ['configmaps', references.configMaps],
      ['persistentvolumeclaims', references.claims],
      ['resourceclaims', references.resourceClaims],
    ] as const) {
      if (names.size > 0) throw refuse(at, `node ${quoted} can not create pods that reference ${kind}`);
    }
    if (references.serviceAccount !== '') throw refuse(at, `node ${quoted} can not create pods that reference serviceaccounts`);
  }
}

/**
 * What a node may ask a token for: an account of a pod that is bound to it, in that pod's name, for audiences that the
 * pod asks for.
 * @throws StatusError 403
 */
export function checkNodeTokenRequest(
  node: string,
  lookup: Lookup,
  request: {
    readonly namespace: string;
    readonly name: string;
    readonly reference: { kind?: string; apiVersion?: string; name?: string; uid?: string } | undefined;
    readonly audiences: readonly string[];
  },
): void {
  const at = {
    resource: { group: '', resource: 'serviceaccounts' } as AdmissionAttributes['resource'],
    name: request.name,
    object: undefined,
  };
  const { reference } = request;
  if (reference?.kind !== 'Pod' || reference.apiVersion !== 'v1' || !reference.name) {
    throw refuse(at, 'node requested token not bound to a pod');
  }
  if (!reference.uid) throw refuse(at, 'node requested token with a pod binding without a uid');
  const pod = lookup.get<Pod>('', 'pods', request.namespace, reference.name);
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, reference.name);
  if (pod.metadata?.uid !== reference.uid) {
    throw refuse(
      at,
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (pod.spec?.nodeName !== node) throw refuse(at, 'node requested token bound to a pod scheduled on a different node');
  const asked = (pod.spec.volumes ?? [])
    .flatMap((volume) => volume.projected?.sources ?? [])
    .flatMap((source) => (source.serviceAccountToken === undefined ? [] : [source.serviceAccountToken.audience ?? '']));
  for (const audience of request.audiences) {
    if (!asked.includes(audience)) {
      throw refuse(at, `audience ${JSON.stringify(audience)} not found in pod spec volume`);
    }
  }
}

function nameOf(at: AdmissionAttributes): string {
  return at.name ?? at.object?.metadata?.name ?? '';
}

function ownPodStatus(node: string, at: AdmissionAttributes): void {
  const old: Pod | undefined = at.oldObject;
  const pod: Pod | undefined = at.object;
  if (old?.spec?.nodeName !== node) {
    throw refuse(at, `node ${JSON.stringify(node)} can only update pod status for pods with spec.nodeName set to itself`);
  }
  if (!jsonSame(old.metadata?.labels, pod?.metadata?.labels)) {
    throw refuse(at, `node ${JSON.stringify(node)} cannot update labels through pod status`);
  }
}

function ownNode(node: string, at: AdmissionAttributes): void {
  const quoted = JSON.stringify(node);
  if (nameOf(at) !== node) throw refuse(at, `node ${quoted} is not allowed to modify node ${JSON.stringify(nameOf(at))}`);
  const old: Node | undefined = at.oldObject;
  const next: Node | undefined = at.object;
  if (at.operation === 'CREATE') {
    const bad = forbiddenLabels(next?.metadata?.labels, undefined);
    if (bad.length > 0) throw refuse(at, `node ${quoted} is not allowed to set the following labels: ${bad.join(', ')}`);
  } else if (at.operation === 'UPDATE') {
    if (!jsonSame(old?.spec?.taints, next?.spec?.taints)) throw refuse(at, `node ${quoted} is not allowed to modify taints`);
    if (!jsonSame(old?.metadata?.ownerReferences, next?.metadata?.ownerReferences)) {
      throw refuse(at, `node ${quoted} is not allowed to modify ownerReferences`);
    }
    const bad = forbiddenLabels(next?.metadata?.labels, old?.metadata?.labels);
    if (bad.length > 0) throw refuse(at, `is not allowed to modify labels: ${bad.join(', ')}`);
  }
}

type LabelMap = NonNullable<KubeObject['metadata']>['labels'];

/** Labels that differ and that a node may not touch. */
function forbiddenLabels(now: LabelMap, before: LabelMap): readonly string[] {
  const keys = new Set([...Object.keys(now ?? {}), ...Object.keys(before ?? {})]);
  return [...keys].filter((key) => now?.[key] !== before?.[key]).filter((key) => {
    const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
    const within = (parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
    if (within('node-restriction.kubernetes.io')) return true;
    return (within('kubernetes.io') || within('k8s.io')) && !OWN_LABELS.has(key) && !OWN_LABEL_DOMAINS.some(within);
  }).sort();
}

function ownLease(node: string, at: AdmissionAttributes): void {
  if (at.namespace !== LEASES) throw refuse(at, `can only access leases in the "${LEASES}" system namespace`);
  const name = at.operation === 'CREATE' ? (at.object as Lease).metadata?.name : at.name;
  if (name !== node) throw refuse(at, 'can only access node lease with the same name as the requesting node');
}
