import type { Logger } from '../../../lib/log.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import { APISERVER } from '../authn/users.ts';
import type { PolicyRule, RoleObject } from '../authz/rbac-types.ts';
import { covers, RuleSet } from '../authz/rule-set.ts';
import type { Registry, RequestContext } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import type { ResourceTable } from '../resource-table.ts';
import { defaultPolicy } from './policy.ts';
import { kubernetesService, type ServiceAddress } from './service.ts';

const CONTEXT = (verb: string): RequestContext => ({ user: APISERVER, verb, warnings: [] });
const MANAGER = 'kube-apiserver';
const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const PRIORITY_CLASSES = [
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
];

/** What the first objects are put in by. */
export interface BootstrapParts {
  readonly registry: Registry;
  readonly resources: ResourceTable;
  readonly lookup: Lookup;
  readonly logger: Logger;
  readonly service: ServiceAddress;
  /** The authority's certificate, PEM, and where the server is reached: kube-public's `cluster-info` tells both to a node that joins. */
  readonly authority: string;
  readonly server: string;
  /** RFC 3339. */
  readonly now: string;
}

/** An object of the bootstrap, and where it belongs. */
export interface Wanted {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly object: KubeObject;
  /** Written once the object is there. */
  readonly status?: object;
}

/**
 * Puts in what a cluster starts with, and what is missing of it: namespaces,
 * default roles and bindings, priority classes, the `kubernetes` Service. What
 * is there stays as people have changed it, but for rules that a default role
 * has lost. All writes share a few syncs.
 */
export async function putFirstObjects(parts: BootstrapParts): Promise<void> {
  const wanted: Wanted[] = [
    ...indispensable(parts), // the namespaces before what goes into them
    ...PRIORITY_CLASSES.map(({ name, ...rest }): Wanted => ({
      group: 'scheduling.k8s.io',
      resource: 'priorityclasses',
      namespace: undefined,
      object: { kind: 'PriorityClass', apiVersion: 'scheduling.k8s.io/v1', metadata: { name }, ...rest } as KubeObject,
    })),
    ...defaultPolicy().map(({ resource, namespace, object }): Wanted => ({
      group: 'rbac.authorization.k8s.io',
      resource,
      namespace,
      object,
    })),
    {
      group: '',
      resource: 'configmaps',
      namespace: 'kube-public',
      object: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'cluster-info', namespace: 'kube-public' },
        data: { kubeconfig: clusterInfo(parts) },
      } as KubeObject,
    },
    { group: '', resource: 'configmaps', namespace: 'kube-system', object: authenticationConfig(parts.authority) },
  ];
  const writes: Promise<void>[] = [];
  for (const each of wanted) {
    const found = parts.lookup.get(each.group, each.resource, each.namespace, each.object.metadata!.name!);
    if (found === undefined) {
      writes.push(create(parts, each));
    } else if (needsRules(found as RoleObject, each)) {
      writes.push(
        update(parts, each, {
          ...found,
          rules: [...((found as RoleObject).rules ?? []), ...((each.object as RoleObject).rules ?? [])],
        } as KubeObject),
      );
    } else if (isOurs(each) && differs(found, each.object)) {
      writes.push(
        update(parts, each, {
          ...each.object,
          metadata: { ...found.metadata, ...each.object.metadata, resourceVersion: found.metadata!.resourceVersion! },
        }),
      );
    }
  }
  await Promise.all(writes);
}

/** What has to be there for as long as the server runs: see `keepFirstObjects`. */
export function indispensable(parts: BootstrapParts): readonly Wanted[] {
  return [
    ...NAMESPACES.map((name): Wanted => ({
      group: '',
      resource: 'namespaces',
      namespace: undefined,
      object: { kind: 'Namespace', apiVersion: 'v1', metadata: { name } },
    })),
    ...kubernetesService(parts.service),
    serviceRange(parts),
  ];
}

/** Makes one object of the bootstrap; that it is there already is no error. */
export async function create({ registry, resources }: BootstrapParts, { group, resource, namespace, object, status }: Wanted): Promise<void> {
  try {
    const info = resources.findAny(group, resource)!;
    const { stored } = await registry.create(CONTEXT('create'), info, namespace, object, { fieldManager: MANAGER });
    if (status !== undefined) {
      await registry.update(
        CONTEXT('update'),
        info,
        namespace,
        object.metadata!.name!,
        { ...stored.object, status },
        { fieldManager: MANAGER, subresource: 'status' },
      );
    }
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error; // Another server of the same store was first.
  }
}

async function update({ registry, resources, logger }: BootstrapParts, { group, resource, namespace }: Wanted, object: KubeObject): Promise<void> {
  try {
    await registry.update(CONTEXT('update'), resources.findAny(group, resource)!, namespace, object.metadata!.name!, object, { fieldManager: MANAGER });
  } catch (error) {
    if (!isReason(error, 'Conflict')) throw error;
    logger.warn('an object of the bootstrap was changed meanwhile and is left alone', { resource, name: object.metadata?.name, error: messageOf(error) });
  }
}

/** A default role that is still marked for updates, and lacks a rule that this release wants. */
function needsRules(found: RoleObject, { resource, object }: Wanted): boolean {
  if (resource !== 'clusterroles' && resource !== 'roles') return false;
  if (found.metadata?.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] !== 'true') return false;
  const own = new RuleSet();
  own.add(found.rules ?? []);
  return ((object as RoleObject).rules ?? []).some((rule: PolicyRule) => !covers(own, rule));
}

/** Objects that say where this server is: they follow it. */
function isOurs({ resource, namespace, object }: Wanted): boolean {
  const name = object.metadata?.name;
  return (
    (resource === 'configmaps' && (name === 'cluster-info' || name === 'extension-apiserver-authentication')) ||
    (namespace === 'default' && name === 'kubernetes' && resource !== 'services')
  );
}

function differs(found: KubeObject, wanted: KubeObject): boolean {
  const part = (object: KubeObject): string => {
    const { data, subsets, endpoints, ports } = object as KubeObject & Record<string, unknown>;
    return JSON.stringify([data, subsets, endpoints, ports]);
  };
  return part(found) !== part(wanted);
}

/** Where Services have their addresses from. */
function serviceRange({ service, now }: BootstrapParts): Wanted {
  return {
    group: 'networking.k8s.io', resource: 'servicecidrs', namespace: undefined,
    object: { kind: 'ServiceCIDR', apiVersion: 'networking.k8s.io/v1', metadata: { name: 'kubernetes' }, spec: { cidrs: [service.serviceCidr] } } as KubeObject,
    status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now, reason: '', message: 'Kubernetes default Service CIDR is ready' }] },
  };
}

/** Tells API servers that extend this one whose client certificates count. */
function authenticationConfig(authority: string): KubeObject {
  return {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: { 'client-ca-file': authority },
  } as KubeObject;
}

/** A kubeconfig without credentials, as kubeadm publishes it. */
function clusterInfo({ authority, server }: BootstrapParts): string {
  return `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from(authority).toString('base64')}
    server: ${server}
  name: ""
contexts: null
current-context: ""
kind: Config
preferences: {}
users: null
`;
}
