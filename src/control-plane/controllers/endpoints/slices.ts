import type { Endpoint, EndpointPort, EndpointSlice } from '../../../types/kubernetes/generated/discovery-v1.ts';
import type { ObjectMeta } from '../../../types/kubernetes/meta.ts';
import { semanticEqual } from '../shared/equal.ts';
import { hashOf } from '../shared/template-hash.ts';
import type { AddressType } from './pod-endpoint.ts';

/** Endpoints that share their ports, and hence slices. */
export interface SliceGroup {
  readonly addressType: AddressType;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
}

/** Labels that every slice of the set should carry, and what new ones get besides. */
export interface SliceTemplate {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly metadata: ObjectMeta;
}

/**
 * Changes as few slices as it can: what is still wanted stays where it is,
 * what is new fills slices that change anyway, then those with the least room
 * that suffices, and then new ones.
 * @param max endpoints in a slice
 */
export function planSlices(existing: readonly EndpointSlice[], groups: readonly SliceGroup[], template: SliceTemplate, max: number): SlicePlan {
  const slices = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const id = groupId(slice.addressType, slice.ports);
    slices.set(id, [...(slices.get(id) ?? []), slice]);
  }
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], delete: [] as EndpointSlice[] };
  const wanted = new Set<string>();
  for (const group of groups) {
    const id = groupId(group.addressType, group.ports);
    wanted.add(id);
    planGroup(slices.get(id) ?? [], group, template, max, plan);
  }
  for (const [id, unwanted] of slices) if (!wanted.has(id)) plan.delete.push(...unwanted);
  return plan;
}

function groupId(addressType: string, ports: readonly EndpointPort[] | undefined): string {
  const named = (ports ?? []).map(({ name = '', protocol = 'TCP', port, appProtocol }) => ({ name, protocol, port, appProtocol }));
  return hashOf([addressType, named.map((port) => JSON.stringify(port)).toSorted()]);
}

/** Two endpoints are the same thing, perhaps in another state. */
function endpointId({ addresses, targetRef }: Endpoint): string {
  return targetRef?.uid ? `${targetRef.uid} ${addresses[0]}` : `${addresses[0]}`;
}

interface MutablePlan {
  readonly create: EndpointSlice[];
  readonly update: EndpointSlice[];
  readonly delete: EndpointSlice[];
}

interface Filling {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoint[];
  changed: boolean;
}

function planGroup(existing: readonly EndpointSlice[], group: SliceGroup, template: SliceTemplate, max: number, plan: MutablePlan): void {
  const dressed = (metadata: ObjectMeta): ObjectMeta => ({
    ...metadata,
    labels: template.labels,
    ...(template.annotations && { annotations: template.annotations }),
  });
  const create = (endpoints: readonly Endpoint[]): void => {
    plan.create.push({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: dressed(template.metadata),
      addressType: group.addressType,
      ports: group.ports,
      endpoints,
    });
  };
  const missing = new Map(group.endpoints.map((endpoint) => [endpointId(endpoint), endpoint]));
  const fillings = existing.map((slice) => keep(slice, missing, template));
  const rest = [...missing.values()];
  for (const filling of fillings.filter(({ changed }) => changed).toSorted(fullerFirst)) {
    filling.endpoints.push(...rest.splice(0, max - filling.endpoints.length));
  }
  while (rest.length > 0) {
    const fitting = fillings.filter(({ changed, endpoints }) => !changed && endpoints.length + rest.length <= max).toSorted(fullerFirst)[0];
    if (fitting === undefined) create(rest.splice(0, max));
    else {
      fitting.endpoints.push(...rest.splice(0));
      fitting.changed = true;
    }
  }
  if (group.endpoints.length === 0) {
    // One empty slice stays: it says that there are no endpoints.
    const [first, ...others] = fillings;
    if (first === undefined) create([]);
    else if (first.changed) plan.update.push({ ...first.slice, metadata: dressed(first.slice.metadata!), endpoints: [] });
    plan.delete.push(...others.map(({ slice }) => slice));
    return;
  }
  for (const { slice, endpoints, changed } of fillings) {
    if (endpoints.length === 0) plan.delete.push(slice);
    else if (changed) plan.update.push({ ...slice, metadata: dressed(slice.metadata!), ports: group.ports, endpoints });
  }
}

/** What of a slice is still wanted, in its present state; takes it off `missing`. */
function keep(slice: EndpointSlice, missing: Map<string, Endpoint>, template: SliceTemplate): Filling {
  const endpoints: Endpoint[] = [];
  let changed =
    !semanticEqual(slice.metadata?.labels, template.labels) ||
    (template.annotations !== undefined && !semanticEqual(slice.metadata?.annotations, template.annotations));
  for (const present of slice.endpoints ?? []) {
    const id = endpointId(present);
    const now = missing.get(id);
    missing.delete(id);
    if (now !== undefined) endpoints.push(now);
    if (now === undefined || !semanticEqual(now, present)) changed = true;
  }
  return { slice, endpoints, changed };
}

function fullerFirst(a: Filling, b: Filling): number {
  return b.endpoints.length - a.endpoints.length;
}
