import type { Node } from '../../../types/kubernetes/generated/core-v1.ts';
import { conditionOf } from '../shared/conditions.ts';

interface Heartbeat {
  status: string | undefined;
  lease: string | undefined;
  atMs: number;
}

/** When each node was last heard of, by our own clock: nodes' clocks are not compared. */
export class Heartbeats {
  readonly #byNode = new Map<string, Heartbeat>();
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A node counts as heard of when its status has a newer heartbeat or transition than the one we know. */
  sawNode(node: Node): void {
    const ready = conditionOf(node.status?.conditions, 'Ready');
    // What we wrote ourselves (Unknown) is no sign of life.
    const sign =
      ready === undefined
        ? undefined
        : `${ready.lastHeartbeatTime}${ready.status === 'Unknown' ? '' : ` ${ready.lastTransitionTime} ${ready.status}`}`;
    const known = this.#of(node.metadata!.name!);
    if (known.status === sign) return;
    const first = known.status === undefined;
    known.status = sign;
    if (ready?.status !== 'Unknown' || first) known.atMs = this.#now();
  }

  sawLease(name: string, renewTime: string | undefined): void {
    const known = this.#of(name);
    if (renewTime === undefined || known.lease === renewTime) return;
    known.lease = renewTime;
    known.atMs = this.#now();
  }

  /** Milliseconds since the node was heard of. */
  silentMs(name: string): number {
    return this.#now() - this.#of(name).atMs;
  }

  /** Nobody could be heard while we were cut off ourselves: all get their time again. */
  forgive(): void {
    for (const heartbeat of this.#byNode.values()) heartbeat.atMs = this.#now();
  }

  forget(name: string): void {
    this.#byNode.delete(name);
  }

  #of(name: string): Heartbeat {
    let heartbeat = this.#byNode.get(name);
    if (heartbeat === undefined) this.#byNode.set(name, (heartbeat = { status: undefined, lease: undefined, atMs: this.#now() }));
    return heartbeat;
  }
}
