import { addQuantities, compareQuantities } from '../../../../types/kubernetes/quantity.ts';
import type { Draft } from './walker.ts';

type Amounts = Record<string, string>;

const list = (value: unknown): readonly Draft[] => (value as Draft[] | undefined) ?? [];
const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const podLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);

/**
 * Resources of the pod as a whole (`spec.resources`): huge page limits come from the containers' limits, requests from the
 * containers' requests (cpu and memory), then from the pod's own limits.
 */
export function defaultPodResources(spec: Draft): void {
  const resources = spec.resources as Draft;
  const limits = { ...(resources.limits as Amounts | undefined) };
  const requests = { ...(resources.requests as Amounts | undefined) };
  if (Object.keys(limits).length === 0 && Object.keys(requests).length === 0) return;
  for (const [name, amount] of Object.entries(aggregate(spec, 'limits'))) {
    if (isHugePages(name) && requests[name] === undefined) limits[name] ??= amount;
  }
  if (Object.keys(limits).length > 0) resources.limits = limits;
  if (Object.keys(limits).length === 0) return;
  for (const [name, amount] of Object.entries(aggregate(spec, 'requests'))) {
    if (podLevel(name) && !isHugePages(name)) {
      requests[name] ??= amount;
    }
  }
  for (const [name, amount] of Object.entries(limits)) if (podLevel(name)) requests[name] ??= amount;
  if (Object.keys(requests).length > 0) resources.requests = requests;
}

/** What all containers need at once: the sum of containers and sidecars, or what an init container needs with the sidecars before it. */
function aggregate(spec: Draft, of: 'requests' | 'limits'): Amounts {
  const amounts = (c: Draft): Amounts => ((c.resources as Draft | undefined)?.[of] as Amounts | undefined) ?? {};
  const total: Amounts = {};
  const sidecars: Amounts = {};
  const init: Amounts = {};
  for (const c of list(spec.containers)) add(total, amounts(c));
  for (const c of list(spec.initContainers)) {
    if (c.restartPolicy === 'Always') {
      add(total, amounts(c));
      add(sidecars, amounts(c));
      most(init, sidecars);
    } else {
      const now = { ...sidecars };
      add(now, amounts(c));
      most(init, now);
    }
  }
  most(total, init);
  return total;
}

function add(sum: Amounts, more: Amounts): void {
  for (const [name, amount] of Object.entries(more)) sum[name] = sum[name] === undefined ? amount : addQuantities(sum[name], amount);
}

function most(into: Amounts, other: Amounts): void {
  for (const [name, amount] of Object.entries(other)) {
    if (into[name] === undefined || compareQuantities(into[name], amount) < 0) {
      into[name] = amount;
    }
  }
}
