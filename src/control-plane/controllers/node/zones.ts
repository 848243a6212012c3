import type { Node } from '../../../types/kubernetes/generated/core-v1.ts';

/** Between two nodes of a zone whose pods are to be evicted; longer when much of a large zone is away. */
const INTERVAL_MS = 10_000;
const SLOW_INTERVAL_MS = 100_000;
const UNHEALTHY_SHARE = 0.55;
const LARGE_ZONE = 50;

interface Zone {
  readonly ready: Set<string>;
  readonly unready: Set<string>;
  nextMs: number;
}

/**
 * How the zones are, and how fast nodes that went away may be emptied: when
 * all nodes of all zones are away it is us who are cut off, and nothing is
 * evicted; when most of one zone is, evictions slow down or cease.
 */
export class Zones {
  readonly #zones = new Map<string, Zone>();
  readonly #zoneOf = new Map<string, string>();

  /** Notes a node's state. @returns whether the answer of {@link allAway} changed */
  note(node: Node, ready: boolean): boolean {
    const before = this.allAway;
    const name = node.metadata!.name!;
    const id = zoneKey(node);
    if (this.#zoneOf.get(name) !== id) this.#drop(name);
    this.#zoneOf.set(name, id);
    let zone = this.#zones.get(id);
    if (zone === undefined) this.#zones.set(id, (zone = { ready: new Set(), unready: new Set(), nextMs: 0 }));
    (ready ? zone.unready : zone.ready).delete(name);
    (ready ? zone.ready : zone.unready).add(name);
    return before !== this.allAway;
  }

  /** A node is gone. @returns whether the answer of {@link allAway} changed */
  forget(name: string): boolean {
    const before = this.allAway;
    this.#drop(name);
    return before !== this.allAway;
  }

  /** Not one node is ready, and there are some. */
  get allAway(): boolean {
    if (this.#zones.size === 0) return false;
    for (const zone of this.#zones.values()) if (zone.ready.size > 0) return false;
    return true;
  }

  /** How long to wait before this node may be emptied, in milliseconds; 0 takes the turn; undefined: not as things are. */
  turn(name: string, nowMs: number): number | undefined {
    const zone = this.#zones.get(this.#zoneOf.get(name) ?? '');
    if (zone === undefined || this.allAway) return undefined;
    const intervalMs = interval(zone);
    if (intervalMs === undefined) return undefined;
    if (nowMs < zone.nextMs) return zone.nextMs - nowMs;
    zone.nextMs = nowMs + intervalMs;
    return 0;
  }

  #drop(name: string): void {
    const id = this.#zoneOf.get(name);
    const zone = id === undefined ? undefined : this.#zones.get(id);
    this.#zoneOf.delete(name);
    if (zone === undefined) return;
    zone.ready.delete(name);
    zone.unready.delete(name);
    if (zone.ready.size + zone.unready.size === 0) this.#zones.delete(id!);
  }
}

function interval({ ready, unready }: Zone): number | undefined {
  const size = ready.size + unready.size;
  if (ready.size === 0 || unready.size <= 2 || unready.size / size < UNHEALTHY_SHARE) return INTERVAL_MS;
  return size > LARGE_ZONE ? SLOW_INTERVAL_MS : undefined;
}

function zoneKey(node: Node): string {
  const labels = node.metadata?.labels ?? {};
  return `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;
}
