import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, ResourceRequirements } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { concerns, draftPod, refuse, type DraftPod } from './plugin.ts';
import { formatQuantity, quantity } from './quantity.ts';

type Amounts = Readonly<Record<string, string>>;

/** LimitRange: defaults for containers that say nothing, and bounds for those that do. */
export class LimitRangerAdmission implements AdmissionPlugin {
  readonly name = 'LimitRanger';
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    return concerns(at, '', 'pods', 'CREATE') || concerns(at, '', 'persistentvolumeclaims', 'CREATE', 'UPDATE');
  }

  #ranges(namespace: string | undefined): readonly LimitRange[] {
    return this.#lookup.list<LimitRange>('', 'limitranges', namespace);
  }

  mutate(at: AdmissionAttributes): KubeObject | undefined {
    if (at.resource.resource !== 'pods') return undefined;
    const ranges = this.#ranges(at.namespace);
    if (ranges.length === 0) return undefined;
    const pod = draftPod(at);
    let limits: Amounts = {};
    let requests: Amounts = {};
    for (const range of ranges) {
      for (const item of range.spec?.limits ?? []) {
        if (item.type !== 'Container') continue;
        limits = { ...item.default, ...limits };
        requests = { ...item.defaultRequest, ...requests };
      }
    }
    if (Object.keys(limits).length === 0 && Object.keys(requests).length === 0) return undefined;
    const set: string[] = [];
    const filled = (kind: string) => (container: Container): Container => fill(container, limits, requests, kind, set);
    if (pod.spec.initContainers !== undefined) pod.spec.initContainers = pod.spec.initContainers.map(filled('init container'));
    pod.spec.containers = pod.spec.containers.map(filled('container'));
    if (set.length === 0) return undefined;
    const metadata = {
      ...pod.metadata,
      annotations: { ...pod.metadata?.annotations, 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${set.join('; ')}` },
    };
    return { ...pod, metadata };
  }

  validate(at: AdmissionAttributes): void {
    const failures: string[] = [];
    for (const range of this.#ranges(at.namespace)) {
      for (const item of range.spec?.limits ?? []) {
        if (at.resource.resource === 'pods') failures.push(...checkPod(at.object as DraftPod, item));
        else if (item.type === 'PersistentVolumeClaim') {
          const requests = (at.object as PersistentVolumeClaim).spec?.resources?.requests ?? {};
          failures.push(...checkBounds(item, { requests, limits: {} }, 'PersistentVolumeClaim', true));
        }
      }
    }
    if (failures.length > 0) throw refuse(at, failures.length === 1 ? failures[0]! : `[${failures.join(', ')}]`);
  }
}

function fill(container: Container, limits: Amounts, requests: Amounts, kind: string, set: string[]): Container {
  const own: ResourceRequirements = container.resources ?? {};
  const newLimits = Object.entries(limits).filter(([name]) => own.limits?.[name] === undefined);
  const after = { ...own.limits, ...Object.fromEntries(newLimits) };
  const newRequests = Object.entries(requests).filter(([name]) => own.requests?.[name] === undefined);
  // What has a limit and neither request nor default request asks for its limit; the kind's own defaults ran before this.
  for (const [name, value] of newLimits) {
    if (own.requests?.[name] === undefined && requests[name] === undefined) {
      newRequests.push([name, value]);
    }
  }
  if (newRequests.length > 0)
    set.push(
      `${newRequests
        .map(([name]) => name)
        .sort()
        .join(', ')} request for ${kind} ${container.name}`,
    );
  if (newLimits.length > 0)
    set.push(
      `${newLimits
        .map(([name]) => name)
        .sort()
        .join(', ')} limit for ${kind} ${container.name}`,
    );
  if (newLimits.length + newRequests.length === 0) return container;
  return { ...container, resources: { ...own, limits: after, requests: { ...own.requests, ...Object.fromEntries(newRequests) } } };
}

function checkPod(pod: DraftPod, item: LimitRangeItem): string[] {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  if (item.type === 'Container') {
    return containers.flatMap((container) =>
      checkBounds(item, { requests: container.resources?.requests ?? {}, limits: container.resources?.limits ?? {} }, 'Container', false),
    );
  }
  if (item.type !== 'Pod') return [];
  return checkBounds(item, { requests: podTotal(pod, 'requests'), limits: podTotal(pod, 'limits') }, 'Pod', false);
}

/** What a pod asks for in all: containers together, or a single init container where that is more. */
export function podTotal(pod: Pick<DraftPod, 'spec'>, which: 'requests' | 'limits'): Record<string, string> {
  const sum = new Map<string, number>();
  for (const container of pod.spec?.containers ?? []) {
    for (const [name, value] of Object.entries(container.resources?.[which] ?? {})) {
      sum.set(name, (sum.get(name) ?? 0) + quantity(value));
    }
  }
  for (const container of pod.spec?.initContainers ?? []) {
    for (const [name, value] of Object.entries(container.resources?.[which] ?? {})) {
      sum.set(name, Math.max(sum.get(name) ?? 0, quantity(value)));
    }
  }
  for (const [name, value] of Object.entries(pod.spec?.overhead ?? {})) {
    if (which === 'requests' || sum.has(name)) {
      sum.set(name, (sum.get(name) ?? 0) + quantity(value));
    }
  }
  return Object.fromEntries([...sum].map(([name, value]) => [name, formatQuantity(value, likeOf(name))]));
}

/** How quantities of a resource are written. */
export function likeOf(name: string): 'cpu' | 'bytes' | 'count' {
  const base = name.replace(/^(requests|limits)\./, '');
  return base === 'cpu' ? 'cpu' : base === 'memory' || base.includes('storage') || base.startsWith('hugepages-') ? 'bytes' : 'count';
}

function checkBounds(item: LimitRangeItem, has: { readonly requests: Amounts; readonly limits: Amounts }, kind: string, requestsAlone: boolean): string[] {
  const failures: string[] = [];
  for (const [name, bound] of Object.entries(item.min ?? {})) {
    const request = has.requests[name];
    const limit = has.limits[name];
    if (request === undefined) {
      failures.push(`minimum ${name} usage per ${kind} is ${bound}.  No request is specified`);
    } else if (quantity(request) < quantity(bound)) {
      failures.push(`minimum ${name} usage per ${kind} is ${bound}, but request is ${request}`);
    } else if (limit !== undefined && quantity(limit) < quantity(bound)) {
      failures.push(`minimum ${name} usage per ${kind} is ${bound}, but limit is ${limit}`);
    }
  }
  for (const [name, bound] of Object.entries(item.max ?? {})) {
    const value = requestsAlone ? has.requests[name] : has.limits[name];
    const word = requestsAlone ? 'request' : 'limit';
    if (value === undefined) failures.push(`maximum ${name} usage per ${kind} is ${bound}.  No ${word} is specified`);
    else if (quantity(value) > quantity(bound)) failures.push(`maximum ${name} usage per ${kind} is ${bound}, but ${word} is ${value}`);
  }
  for (const [name, bound] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const request = quantity(has.requests[name] ?? '0');
    const limit = quantity(has.limits[name] ?? '0');
    if (request === 0 || limit === 0) {
      failures.push(
        `${name} max limit to request ratio per ${kind} is ${bound}, but no ${request === 0 ? 'request' : 'limit'} is specified or it is 0`,
      );
    } else if (limit / request > quantity(bound)) {
      failures.push(`${name} max limit to request ratio per ${kind} is ${bound}, but provided ratio is ${(limit / request).toFixed(6)}`);
    }
  }
  return failures;
}
