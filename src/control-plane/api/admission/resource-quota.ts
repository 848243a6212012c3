import type { Clock } from '../../../lib/clock.ts';
import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { likeOf, podTotal } from './limit-ranger.ts';
import { containersOf, refuse, type DraftPod } from './plugin.ts';
import { formatQuantity, quantity } from './quantity.ts';

/** How long a write that was let through counts although it can't be seen yet: longer than any sync takes. */
const RESERVED_MS = 5000;

/** Kinds whose number has a short name in a quota. */
const COUNTED: Readonly<Record<string, string>> = {
  pods: 'pods',
  services: 'services',
  secrets: 'secrets',
  configmaps: 'configmaps',
  replicationcontrollers: 'replicationcontrollers',
  resourcequotas: 'resourcequotas',
  persistentvolumeclaims: 'persistentvolumeclaims',
};

type Usage = ReadonlyMap<string, number>;

interface Reserved {
  readonly name: string;
  readonly until: number;
  readonly object: KubeObject;
}

/**
 * ResourceQuota: what a namespace may hold. What it holds is counted from the
 * objects themselves at each question, and writes that are under way count
 * for some seconds, so that a crowd of creates cannot slip past together.
 * Runs last, when nothing else can refuse.
 */
export class ResourceQuotaAdmission implements AdmissionPlugin {
  readonly name = 'ResourceQuota';
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  /** By namespace and resource. */
  readonly #reserved = new Map<string, Reserved[]>();

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    return (
      at.operation === 'CREATE' &&
      at.subresource === undefined &&
      at.resource.namespaced &&
      at.resource.resource !== 'events' &&
      !at.resource.group.startsWith('authorization')
    );
  }

  validate(at: AdmissionAttributes): void {
    const quotas = this.#lookup.list<ResourceQuota>('', 'resourcequotas', at.namespace);
    if (quotas.length === 0) return;
    const object = at.object!;
    const wanted = usageOf(at.resource, object);
    let constrained = false;
    for (const quota of quotas) constrained = this.#check(at, quota, object, wanted) || constrained;
    if (constrained && !at.dryRun) this.#reserve(at, object);
  }

  /** @returns whether the quota limits anything that the object takes */
  #check(at: AdmissionAttributes, quota: ResourceQuota, object: KubeObject, wanted: Usage): boolean {
    if (!inScope(quota, at.resource.resource, object)) return false;
    const hard = Object.entries(quota.spec?.hard ?? {});
    const name = quota.metadata?.name ?? '';
    if (at.resource.resource === 'pods' && at.resource.group === '') {
      const missing = missingOf(object as unknown as DraftPod, hard.map(([resource]) => resource));
      if (missing !== '') throw refuse(at, `failed quota: ${name}: must specify ${missing}`);
    }
    const limited = hard.filter(([resource]) => (wanted.get(resource) ?? 0) > 0);
    if (limited.length === 0) return false;
    const used = this.#used(at, quota);
    const over = limited
      .filter(([resource, limit]) => (used.get(resource) ?? 0) + wanted.get(resource)! > quantity(limit) + 1e-9)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (over.length > 0) {
      const told = (value: (resource: string, limit: string) => string): string =>
        over.map(([resource, limit]) => `${resource}=${value(resource, limit)}`).join(',');
      const show = (resource: string, amount: number): string => formatQuantity(amount, likeOf(resource));
      throw refuse(
        at,
        `exceeded quota: ${name}, requested: ${told((resource) => show(resource, wanted.get(resource)!))}, used: ${told((resource) => show(resource, used.get(resource) ?? 0))}, limited: ${told((_, limit) => limit)}`,
      );
    }
    return true;
  }

  #used(at: AdmissionAttributes, quota: ResourceQuota): Usage {
    const sum = new Map<string, number>();
    const add = (object: KubeObject): void => {
      if (!inScope(quota, at.resource.resource, object) || finished(object)) return;
      for (const [resource, amount] of usageOf(at.resource, object)) sum.set(resource, (sum.get(resource) ?? 0) + amount);
    };
    const seen = new Set<string>();
    for (const object of this.#lookup.list(at.resource.group, at.resource.resource, at.namespace)) {
      seen.add(object.metadata!.name!);
      add(object);
    }
    const now = this.#clock.now();
    const key = keyOf(at);
    const left = (this.#reserved.get(key) ?? []).filter((one) => one.until > now && !seen.has(one.name));
    if (left.length > 0) this.#reserved.set(key, left);
    else this.#reserved.delete(key);
    for (const one of left) if (one.name !== at.name) add(one.object);
    return sum;
  }

  #reserve(at: AdmissionAttributes, object: KubeObject): void {
    const key = keyOf(at);
    const name = at.name ?? object.metadata?.name ?? '';
    const list = (this.#reserved.get(key) ?? []).filter((one) => one.name !== name);
    list.push({ name, until: this.#clock.now() + RESERVED_MS, object });
    this.#reserved.set(key, list);
  }
}

function keyOf(at: AdmissionAttributes): string {
  return `${at.namespace ?? ''}/${at.resource.resource}.${at.resource.group}`;
}

/** What one object takes, by the names that quotas use. */
function usageOf(resource: { readonly group: string; readonly resource: string }, object: KubeObject): Usage {
  const usage = new Map<string, number>([[`count/${resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`}`, 1]]);
  if (resource.group !== '') return usage;
  const counted = COUNTED[resource.resource];
  if (counted !== undefined) usage.set(counted, 1);
  if (resource.resource === 'pods') {
    const pod = object as unknown as DraftPod;
    for (const [name, value] of Object.entries(podTotal(pod, 'requests'))) {
      usage.set(`requests.${name}`, quantity(value));
      if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage') usage.set(name, quantity(value));
    }
    for (const [name, value] of Object.entries(podTotal(pod, 'limits'))) usage.set(`limits.${name}`, quantity(value));
  } else if (resource.resource === 'services') {
    const { type, ports } = (object as Service).spec ?? {};
    if (type === 'LoadBalancer') usage.set('services.loadbalancers', 1);
    if (type === 'NodePort' || type === 'LoadBalancer') usage.set('services.nodeports', ports?.length ?? 0);
  } else if (resource.resource === 'persistentvolumeclaims') {
    const { resources, storageClassName } = (object as PersistentVolumeClaim).spec ?? {};
    const size = quantity(resources?.requests?.storage);
    usage.set('requests.storage', size);
    if (storageClassName) {
      usage.set(`${storageClassName}.storageclass.storage.k8s.io/requests.storage`, size);
      usage.set(`${storageClassName}.storageclass.storage.k8s.io/persistentvolumeclaims`, 1);
    }
  }
  return usage;
}

const COMPUTE: readonly (readonly [string, 'requests' | 'limits', string])[] = [
  ['cpu', 'requests', 'cpu'],
  ['memory', 'requests', 'memory'],
  ['limits.cpu', 'limits', 'cpu'],
  ['limits.memory', 'limits', 'memory'],
  ['requests.cpu', 'requests', 'cpu'],
  ['requests.memory', 'requests', 'memory'],
];

/** A quota on cpu or memory wants every container to say what it takes. */
function missingOf(pod: DraftPod, hard: readonly string[]): string {
  const told: string[] = [];
  for (const [name, which, resource] of COMPUTE) {
    if (!hard.includes(name)) continue;
    const without = containersOf(pod.spec)
      .filter((container) => !('targetContainerName' in container) && container.resources?.[which]?.[resource] === undefined)
      .map((container) => container.name);
    if (without.length > 0) told.push(`${name} for: ${without.join(',')}`);
  }
  return told.join('; ');
}

/** A pod that is over takes nothing but its place in count/pods. */
function finished(object: KubeObject): boolean {
  const phase = object.kind === 'Pod' ? (object as Pod).status?.phase : undefined;
  return phase === 'Succeeded' || phase === 'Failed';
}

function inScope(quota: ResourceQuota, resource: string, object: KubeObject): boolean {
  const scopes = [
    ...(quota.spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: [] as readonly string[] })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ];
  if (scopes.length === 0) return true;
  if (resource !== 'pods') return false;
  const { spec } = object as Pod;
  const bestEffort = containersOf(spec ?? {}).every(
    (container) =>
      !('resources' in container) ||
      (Object.keys(container.resources?.requests ?? {}).length === 0 && Object.keys(container.resources?.limits ?? {}).length === 0),
  );
  return scopes.every(({ scopeName, operator, values = [] }) => {
    switch (scopeName) {
      case 'Terminating': return spec?.activeDeadlineSeconds !== undefined;
      case 'NotTerminating': return spec?.activeDeadlineSeconds === undefined;
      case 'BestEffort': return bestEffort;
      case 'NotBestEffort': return !bestEffort;
      case 'PriorityClass': {
        const name = spec?.priorityClassName ?? '';
        return operator === 'In' ? values.includes(name) : operator === 'NotIn' ? !values.includes(name) : operator === 'Exists' ? name !== '' : name === '';
      }
      default: return false;
    }
  });
}
