import type { PersistentVolumeClaim, Pod } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ResourceSlice } from '../../../types/kubernetes/generated/resource-v1.ts';
import type { VolumeAttachment } from '../../../types/kubernetes/generated/storage-v1.ts';
import type { AuthorizationAttributes, Authorizer, UserInfo } from '../contract.ts';
import { fieldTerm } from '../field-terms.ts';
import type { Lookup } from '../lookup.ts';
import { podReferences, type PodReferences } from './pod-references.ts';
import type { PolicyRule } from './rbac-types.ts';
import { RuleSet } from './rule-set.ts';

const NODES = 'system:nodes';
const PREFIX = 'system:node:';
const LEASES = 'kube-node-lease';
const OWN_VERBS = new Set(['get', 'create', 'update', 'patch', 'delete']);

type Decision = { readonly allowed: boolean; readonly reason: string };
const ALLOWED: Decision = { allowed: true, reason: '' };
const REFUSED: Decision = { allowed: false, reason: '' };
const no = (reason: string): Decision => ({ allowed: false, reason });

/** The name of the node that a user is; undefined for users that are none. */
export function nodeNameOf(user: UserInfo): string | undefined {
  return user.name.startsWith(PREFIX) && user.name.length > PREFIX.length && user.groups.includes(NODES) ? user.name.slice(PREFIX.length) : undefined;
}

/**
 * What a node may: its own Node, lease and pods' status, and to read what the
 * pods that are bound to it need, object by object. What a pod needs is read
 * off the pods themselves at each question, so that nothing can be out of date.
 */
export class NodeAuthorizer implements Authorizer {
  readonly #lookup: Lookup;
  /** What is not divided by node. */
  readonly #general = new RuleSet();
  /** References of a pod, as long as the object lives. */
  readonly #references = new WeakMap<Pod, PodReferences>();

  /** @param rules those of the role system:node */
  constructor(lookup: Lookup, rules: readonly PolicyRule[]) {
    this.#lookup = lookup;
    this.#general.add(rules);
  }

  authorize(at: AuthorizationAttributes): Decision {
    const node = nodeNameOf(at.user);
    if (node === undefined) return REFUSED;
    if (at.path === undefined) {
      switch (`${at.group}/${at.resource}`) {
        case '/secrets': return this.#readOne(node, at, true, (found) => found.secrets.has(at.name));
        case '/configmaps': return this.#readOne(node, at, true, (found) => found.configMaps.has(at.name));
        case '/persistentvolumeclaims':
          if (at.subresource === 'status') return this.#claimStatus(node, at);
          return this.#readOne(node, at, false, (found) => found.claims.has(at.name));
        case '/persistentvolumes': return this.#readVolume(node, at);
        case '/serviceaccounts': return this.#account(node, at);
        case '/nodes': return ownNode(node, at);
        case '/pods': return this.#pod(node, at);
        case 'coordination.k8s.io/leases': return lease(node, at);
        case 'storage.k8s.io/csinodes':
          if (!OWN_VERBS.has(at.verb)) return no('can only get, create, update, patch, or delete a CSINode');
          return at.subresource === '' && (at.verb === 'create' || at.name === node)
            ? ALLOWED
            : no('can only access CSINode with the same name as the requesting node');
        case 'storage.k8s.io/volumeattachments':
          if (at.verb !== 'get') return no('can only get individual resources of this type');
          return this.#lookup.get<VolumeAttachment>(at.group, at.resource, undefined, at.name)?.spec?.nodeName === node ? ALLOWED : unrelated(node);
        case 'resource.k8s.io/resourceclaims':
          if (at.verb !== 'get') return no('can only get individual resources of this type');
          return this.#readOne(node, at, false, (found) => found.resourceClaims.has(at.name));
        case 'resource.k8s.io/resourceslices':
          if (!this.#ownSlices(node, at)) {
            return at.name === ''
              ? no('can only list/watch/deletecollection resourceslices with nodeName field selector')
              : unrelated(node);
          }
          break;
        default:
      }
    }
    return this.#general.allows(at) ? ALLOWED : REFUSED;
  }

  #pods(node: string): readonly Pod[] {
    return this.#lookup.list<Pod>('', 'pods', undefined, `spec.nodeName=${node}`);
  }

  #refers(node: string, namespace: string, wants: (references: PodReferences) => boolean): boolean {
    return this.#pods(node).some((pod) => {
      if (pod.metadata?.namespace !== namespace) return false;
      let references = this.#references.get(pod);
      if (references === undefined) this.#references.set(pod, (references = podReferences(pod)));
      return wants(references);
    });
  }

  /** get, and list and watch of a single name where they are allowed. */
  #readOne(node: string, at: AuthorizationAttributes, watchable: boolean, wants: (references: PodReferences) => boolean): Decision {
    if (at.verb !== 'get' && !(watchable && (at.verb === 'list' || at.verb === 'watch'))) {
      return no(watchable ? 'can only read resources of this type' : 'can only get individual resources of this type');
    }
    if (at.subresource !== '') return no('cannot read subresource');
    if (at.namespace === '') return no('can only read namespaced object of this type');
    if (at.name === '') return no('No Object name found');
    return this.#refers(node, at.namespace, wants) ? ALLOWED : unrelated(node);
  }

  /** Slices of what devices a node has: those that name it. What is created is NodeRestriction's to look at. */
  #ownSlices(node: string, at: AuthorizationAttributes): boolean {
    if (at.verb === 'create') return true;
    if (at.name !== '') return this.#lookup.get<ResourceSlice>(at.group, at.resource, undefined, at.name)?.spec?.nodeName === node;
    return fieldTerm(at.fieldSelector, 'spec.nodeName') === node;
  }

  #claimStatus(node: string, at: AuthorizationAttributes): Decision {
    if (at.verb !== 'update' && at.verb !== 'patch') return no('can only update/patch status');
    return this.#refers(node, at.namespace, (found) => found.claims.has(at.name)) ? ALLOWED : unrelated(node);
  }

  #readVolume(node: string, at: AuthorizationAttributes): Decision {
    if (at.verb !== 'get' || at.subresource !== '') return no('can only get individual resources of this type');
    if (at.name === '') return no('No Object name found');
    for (const pod of this.#pods(node)) {
      for (const claim of podReferences(pod).claims) {
        const object = this.#lookup.get<PersistentVolumeClaim>('', 'persistentvolumeclaims', pod.metadata!.namespace, claim);
        if (object?.spec?.volumeName === at.name) return ALLOWED;
      }
    }
    return unrelated(node);
  }

  #account(node: string, at: AuthorizationAttributes): Decision {
    const reads = at.verb === 'get' && at.subresource === '';
    if (!reads && (at.verb !== 'create' || at.name === '')) return no('can only create tokens for individual service accounts');
    if (!reads && at.subresource !== 'token') return no('can only create token subresource of serviceaccount');
    return this.#refers(node, at.namespace, (found) => found.serviceAccount === at.name) ? ALLOWED : unrelated(node);
  }

  #pod(node: string, at: AuthorizationAttributes): Decision {
    if (at.subresource === 'status') return at.verb === 'update' || at.verb === 'patch' ? ALLOWED : REFUSED;
    if (at.subresource === 'eviction') return at.verb === 'create' ? ALLOWED : REFUSED;
    if (at.subresource !== '') return REFUSED;
    if (at.verb === 'create' || at.verb === 'delete') return ALLOWED; // Which ones is admission's to say: NodeRestriction.
    const mine = (): Decision => (this.#lookup.get<Pod>('', 'pods', at.namespace, at.name)?.spec?.nodeName === node ? ALLOWED : unrelated(node));
    if (at.verb === 'get') return at.name === '' ? no('No Object name found') : mine();
    if (at.verb !== 'list' && at.verb !== 'watch') return REFUSED;
    if (fieldTerm(at.fieldSelector, 'spec.nodeName') === node) return ALLOWED;
    return at.name === '' ? no('can only list/watch pods with spec.nodeName field selector') : mine();
  }
}

function unrelated(node: string): Decision {
  return no(`no relationship found between node '${node}' and this object`);
}

function ownNode(node: string, at: AuthorizationAttributes): Decision {
  if (at.subresource === 'status') return at.verb === 'update' || at.verb === 'patch' ? ALLOWED : REFUSED;
  if (at.subresource !== '') return REFUSED;
  if (at.verb === 'create' || at.verb === 'update' || at.verb === 'patch') return ALLOWED; // Its own alone, says NodeRestriction.
  if (at.verb !== 'get' && at.verb !== 'list' && at.verb !== 'watch') return REFUSED;
  if (at.name === node) return ALLOWED;
  return no(
    at.name === ''
      ? `node '${node}' cannot read all nodes, only its own Node object`
      : `node '${node}' cannot read '${at.name}', only its own Node object`,
  );
}

function lease(node: string, at: AuthorizationAttributes): Decision {
  if (!OWN_VERBS.has(at.verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (at.namespace !== LEASES) return no(`can only access leases in the "${LEASES}" system namespace`);
  return at.verb === 'create' || at.name === node ? ALLOWED : no('can only access node lease with the same name as the requesting node');
}
