import type { Pod } from './generated/core-v1.ts';
import { quantityToMilli, quantityToNumber } from './quantity.ts';

/** Amounts of the resources that a pod asks for, or a node has. */
export interface Resources {
  readonly milliCpu: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes. */
  readonly ephemeralStorage: number;
  /** Extended resources and huge pages, in whole units or bytes. */
  readonly scalar: ReadonlyMap<string, number> | undefined;
}

interface Sum { milliCpu: number; memory: number; ephemeralStorage: number; scalar: Map<string, number> | undefined }

/** Parsed amounts, since clusters have few distinct ones. Bounded. */
const parsed = new Map<string, number>();

/** A quantity as a number: of CPU in thousandths, of all else in whole units or bytes. */
export function amount(name: string, quantity: string | number): number {
  const id = `${name === 'cpu' ? 'm' : 'u'}${quantity}`;
  let value = parsed.get(id);
  if (value === undefined) {
    value = name === 'cpu' ? quantityToMilli(quantity) : quantityToNumber(quantity);
    if (parsed.size > 4096) parsed.clear();
    parsed.set(id, value);
  }
  return value;
}

/** The amounts of a list as it stands in an object. Its `pods` are left out: they are counted apart. */
export function listToResources(list: Readonly<Record<string, string | number>> | undefined): Sum {
  const sum: Sum = { milliCpu: 0, memory: 0, ephemeralStorage: 0, scalar: undefined };
  if (!list) return sum;
  for (const [name, quantity] of Object.entries(list)) {
    const value = amount(name, quantity);
    if (name === 'cpu') sum.milliCpu = value;
    else if (name === 'memory') sum.memory = value;
    else if (name === 'ephemeral-storage') sum.ephemeralStorage = value;
    else if (name !== 'pods') (sum.scalar ??= new Map()).set(name, value);
  }
  return sum;
}

function add(into: Sum, from: Resources): void {
  into.milliCpu += from.milliCpu;
  into.memory += from.memory;
  into.ephemeralStorage += from.ephemeralStorage;
  for (const [name, value] of from.scalar ?? []) (into.scalar ??= new Map()).set(name, (into.scalar.get(name) ?? 0) + value);
}

function raise(into: Sum, from: Resources): void {
  into.milliCpu = Math.max(into.milliCpu, from.milliCpu);
  into.memory = Math.max(into.memory, from.memory);
  into.ephemeralStorage = Math.max(into.ephemeralStorage, from.ephemeralStorage);
  for (const [name, value] of from.scalar ?? []) (into.scalar ??= new Map()).set(name, Math.max(into.scalar.get(name) ?? 0, value));
}

/** The pod's effective requests: the greater of its init phase and its run, side-cars counted in both, plus overhead (KEP-753). */
export function podRequests(pod: Pod): Resources {
  const run = listToResources(undefined);
  const init = listToResources(undefined);
  const sidecars = listToResources(undefined);
  for (const container of pod.spec?.containers ?? []) add(run, listToResources(container.resources?.requests));
  for (const container of pod.spec?.initContainers ?? []) {
    const requests = listToResources(container.resources?.requests);
    if (container.restartPolicy === 'Always') {
      add(run, requests);
      add(sidecars, requests);
      raise(init, sidecars);
    } else {
      add(requests, sidecars);
      raise(init, requests);
    }
  }
  raise(run, init);
  add(run, listToResources(pod.spec?.overhead));
  return run;
}
