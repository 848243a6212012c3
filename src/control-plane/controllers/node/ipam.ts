import { Controller } from '../../../client/controller.ts';
import type { Informer } from '../../../client/informer.ts';
import { nodes } from '../../../client/resources.ts';
import type { Node } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { eventTarget } from '../shared/target.ts';
import { CidrParts } from './cidr.ts';

const MASK_SIZE = 24;

/** Gives each node a part of the cluster's range for its pods. */
export class NodeIpamController implements RunningController {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #controller: Controller;
  readonly #parts: CidrParts;
  /** What each node has, or is about to get. */
  readonly #held = new Map<string, string>();

  constructor(context: ControllerContext, clusterCidr: string) {
    this.#context = context;
    this.#parts = new CidrParts(clusterCidr, context.options.nodeCidrMaskSize ?? MASK_SIZE);
    this.#nodes = context.informers.for<Node>(nodes);
    // One worker: nothing is begun before all that nodes already hold is known.
    this.#controller = new Controller({
      name: 'node-ipam-controller',
      clock: context.clock,
      logger: context.logger,
      informers: [this.#nodes],
      workers: 1,
      maxDelayMs: 30_000,
      sync: (name) => this.#sync(name),
      resync: () => {
        for (const name of this.#nodes.store.keys()) this.#controller.enqueue(name);
      },
    });
    const hold = (node: Node): void => {
      const part = node.spec?.podCIDR;
      const name = node.metadata!.name!;
      if (!part) return this.#controller.enqueue(name);
      if (this.#held.get(name) === part) return;
      this.#release(name);
      this.#held.set(name, part);
      this.#parts.take(part);
    };
    this.#nodes.on({
      add: hold,
      update: (_old, node) => hold(node),
      delete: (node) => {
        this.#release(node.metadata!.name!);
        // Somebody may wait for what became free.
        for (const other of this.#nodes.store.values()) if (!other.spec?.podCIDR) this.#controller.enqueue(other.metadata!.name!);
      },
    });
  }

  start(): Promise<void> {
    return this.#controller.start();
  }

  stop(): Promise<void> {
    return this.#controller.stop();
  }

  #release(name: string): void {
    const part = this.#held.get(name);
    if (part === undefined) return;
    this.#held.delete(name);
    this.#parts.free(part);
  }

  async #sync(name: string): Promise<void> {
    const node = this.#nodes.store.get(name);
    if (node === undefined || node.spec?.podCIDR || node.metadata!.deletionTimestamp !== undefined) return;
    const part = this.#held.get(name) ?? this.#parts.allocate();
    if (part === undefined) {
      this.#context.events.event(eventTarget(nodes, node), 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
      return;
    }
    this.#held.set(name, part);
    await this.#context.transport.patch(nodes, undefined, name, 'merge', { metadata: { uid: node.metadata!.uid }, spec: { podCIDR: part, podCIDRs: [part] } });
  }
}

/** @returns undefined when no range for pods was given */
export function createNodeIpamController(context: ControllerContext): RunningController | undefined {
  const { clusterCidr } = context.options;
  return clusterCidr === undefined ? undefined : new NodeIpamController(context, clusterCidr);
}
