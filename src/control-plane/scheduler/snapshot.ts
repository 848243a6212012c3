import type { Node } from '../../types/kubernetes/generated/core-v1.ts';
import { nodeInfo, readNode, type NodeInfo, type PodInfo } from './model.ts';

/**
 * The cluster as the scheduler sees it: every node with what is placed on it,
 * kept incrementally. A pod counts from the moment it is assumed, before the
 * API has heard of it. Pods may arrive before their node does.
 */
export class Snapshot {
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #placed = new Map<string, { readonly node: string; readonly pod: PodInfo }>();
  /** Pods on nodes that we don't know (yet). */
  readonly #homeless = new Map<string, Map<string, PodInfo>>();
  #list: NodeInfo[] = [];
  #generation = 0;
  #termed = 0;

  /** All nodes; the array is replaced when nodes come or go, and its order is stable between. */
  get nodes(): readonly NodeInfo[] {
    return this.#list;
  }

  /** How many placed pods carry required anti-affinity or affinity terms: while none does, no pod need be compared with others. */
  get podsWithTerms(): number {
    return this.#termed;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  placed(key: string): { readonly node: string; readonly pod: PodInfo } | undefined {
    return this.#placed.get(key);
  }

  setNode(node: Node): void {
    const name = node.metadata?.name ?? '';
    let info = this.#nodes.get(name);
    if (info) {
      readNode(info, node);
    } else {
      info = nodeInfo(node);
      this.#nodes.set(name, info);
      this.#list = [...this.#list, info];
      for (const pod of this.#homeless.get(name)?.values() ?? []) this.#count(info, pod, 1);
      this.#homeless.delete(name);
    }
    info.generation = ++this.#generation;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    this.#nodes.delete(name);
    this.#list = this.#list.filter((other) => other !== info);
    if (info.pods.size > 0) this.#homeless.set(name, new Map(info.pods));
  }

  /** Places a pod (again: with newer labels or on another node). */
  place(pod: PodInfo, node: string): void {
    this.unplace(pod.key);
    this.#placed.set(pod.key, { node, pod });
    if (hasTerms(pod)) this.#termed++;
    const info = this.#nodes.get(node);
    if (info) {
      this.#count(info, pod, 1);
      return;
    }
    let waiting = this.#homeless.get(node);
    if (!waiting) this.#homeless.set(node, (waiting = new Map()));
    waiting.set(pod.key, pod);
  }

  /** Takes a pod off its node; unknown is success. */
  unplace(key: string): void {
    const at = this.#placed.get(key);
    if (!at) return;
    this.#placed.delete(key);
    if (hasTerms(at.pod)) this.#termed--;
    const info = this.#nodes.get(at.node);
    if (info) this.#count(info, at.pod, -1);
    else this.#homeless.get(at.node)?.delete(key);
  }

  #count(info: NodeInfo, pod: PodInfo, sign: 1 | -1): void {
    const { requested, nonZero } = info;
    requested.milliCpu += sign * pod.requests.milliCpu;
    requested.memory += sign * pod.requests.memory;
    requested.ephemeralStorage += sign * pod.requests.ephemeralStorage;
    for (const [name, value] of pod.requests.scalar ?? []) requested.scalar.set(name, (requested.scalar.get(name) ?? 0) + sign * value);
    nonZero.milliCpu += sign * pod.nonZero.milliCpu;
    nonZero.memory += sign * pod.nonZero.memory;
    if (sign > 0) info.pods.set(pod.key, pod);
    else info.pods.delete(pod.key);
    if (pod.owner !== undefined) {
      const left = (info.owners.get(pod.owner) ?? 0) + sign;
      if (left > 0) info.owners.set(pod.owner, left);
      else info.owners.delete(pod.owner);
    }
    info.generation = ++this.#generation;
  }
}

function hasTerms(pod: PodInfo): boolean {
  return pod.affinity?.podAntiAffinity !== undefined || pod.affinity?.podAffinity !== undefined;
}
