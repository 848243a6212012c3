import type { ResourceRef } from '../../../client/transport.ts';
import type { Container, PersistentVolumeClaim, Pod, ResourceQuota, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { addQuantities, compareQuantities } from '../../../types/kubernetes/quantity.ts';
import { isTerminal } from '../shared/pods.ts';

export type Amounts = Record<string, string>;

const COUNTED = new Set(['pods', 'services', 'secrets', 'configmaps', 'replicationcontrollers', 'resourcequotas', 'persistentvolumeclaims']);
const UNPREFIXED = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function add(into: Amounts, name: string, amount: string): void {
  into[name] = into[name] === undefined ? amount : addQuantities(into[name], amount);
}

/** What one object takes of a quota, by the names that quotas use. */
export function usageOf(resource: ResourceRef, object: KubeObject): Amounts {
  const usage: Amounts = {};
  if (resource.group === '' && resource.resource === 'pods') {
    const pod = object as Pod;
    // A pod that has ended only counts as an object.
    if (isTerminal(pod)) return { 'count/pods': '1' };
    for (const kind of ['requests', 'limits'] as const) {
      for (const [name, amount] of Object.entries(podTotal(pod, kind))) {
        add(usage, `${kind}.${name}`, amount);
        if (kind === 'requests' && UNPREFIXED.has(name)) add(usage, name, amount);
      }
    }
  }
  add(usage, `count/${resource.resource}${resource.group === '' ? '' : `.${resource.group}`}`, '1');
  if (resource.group !== '') return usage;
  if (COUNTED.has(resource.resource)) add(usage, resource.resource, '1');
  if (resource.resource === 'services') {
    const { type, ports = [] } = (object as Service).spec ?? {};
    if (type === 'LoadBalancer') add(usage, 'services.loadbalancers', '1');
    if (type === 'NodePort' || type === 'LoadBalancer') add(usage, 'services.nodeports', String(ports.length));
  } else if (resource.resource === 'persistentvolumeclaims') {
    const { resources, storageClassName } = (object as PersistentVolumeClaim).spec ?? {};
    const size = resources?.requests?.['storage'] ?? '0';
    add(usage, 'requests.storage', size);
    if (storageClassName) {
      add(usage, `${storageClassName}.storageclass.storage.k8s.io/requests.storage`, size);
      add(usage, `${storageClassName}.storageclass.storage.k8s.io/persistentvolumeclaims`, '1');
    }
  }
  return usage;
}

/** The greater of what its containers take together, and what its start takes; side-cars count in both. */
function podTotal(pod: Pod, kind: 'requests' | 'limits'): Amounts {
  const total: Amounts = {};
  const start: Amounts = {};
  const sidecars: Amounts = {};
  const amounts = (container: Container): [string, string][] => Object.entries(container.resources?.[kind] ?? {});
  for (const container of pod.spec?.containers ?? []) for (const [name, amount] of amounts(container)) add(total, name, amount);
  for (const container of pod.spec?.initContainers ?? []) {
    const restarts = container.restartPolicy === 'Always';
    for (const [name, amount] of amounts(container)) {
      if (restarts) {
        add(total, name, amount);
        add(sidecars, name, amount);
      }
      const peak = restarts ? sidecars[name]! : addQuantities(sidecars[name] ?? '0', amount);
      if (start[name] === undefined || compareQuantities(peak, start[name]) > 0) start[name] = peak;
    }
  }
  for (const [name, amount] of Object.entries(start)) {
    if (total[name] === undefined || compareQuantities(amount, total[name]) > 0) {
      total[name] = amount;
    }
  }
  for (const [name, amount] of Object.entries(pod.spec?.overhead ?? {})) if (total[name] !== undefined) add(total, name, amount);
  return total;
}

/** Whether the quota's scopes take in the object; all but pods (and claims) are in a quota without scopes alone. */
export function inScope(quota: ResourceQuota, resource: ResourceRef, object: KubeObject): boolean {
  const terms = [
    ...(quota.spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: [] as readonly string[] })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []).map(({ scopeName, operator, values = [] }) => ({ scopeName, operator, values })),
  ];
  if (terms.length === 0) return true;
  if (resource.group !== '' || resource.resource !== 'pods') return false;
  const pod = object as Pod;
  return terms.every(({ scopeName, operator, values }) => {
    switch (scopeName) {
      case 'Terminating': return pod.spec?.activeDeadlineSeconds !== undefined;
      case 'NotTerminating': return pod.spec?.activeDeadlineSeconds === undefined;
      case 'BestEffort': return isBestEffort(pod);
      case 'NotBestEffort': return !isBestEffort(pod);
      case 'PriorityClass': return meets(operator, values, pod.spec?.priorityClassName);
      case 'CrossNamespacePodAffinity': return crossesNamespaces(pod);
      default: return false;
    }
  });
}

function meets(operator: string, values: readonly string[], value: string | undefined): boolean {
  switch (operator) {
    case 'In': return value !== undefined && values.includes(value);
    case 'NotIn': return value === undefined || !values.includes(value);
    case 'Exists': return Boolean(value);
    default: return !value;
  }
}

function isBestEffort(pod: Pod): boolean {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].every(
    ({ resources }) => Object.keys(resources?.requests ?? {}).length === 0 && Object.keys(resources?.limits ?? {}).length === 0,
  );
}

function crossesNamespaces(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) => {
    const terms = [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
    ];
    return terms.some(({ namespaces, namespaceSelector }) => (namespaces?.length ?? 0) > 0 || namespaceSelector !== undefined);
  });
}
