import type { EventTarget, EventType } from '../../client/events.ts';
import { FakeTransport, type FakeOptions } from '../../client/fake-transport.test-helper.ts';
import { InformerFactory } from '../../client/informer-factory.ts';
import { ManualClock, SeededRandom, settle } from '../../client/manual-clock.test-helper.ts';
import { nodes, pods } from '../../client/resources.ts';
import { rfc3339 } from '../../lib/clock.ts';
import { createLogger, silentLogger } from '../../lib/log.ts';
import type { Node, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, ControllerEntry, RunningController } from './context.ts';
import type { ControllersOptions } from './options.ts';
import { isReady } from './shared/pods.ts';

/** Controllers over a small API in memory, with time and chance in the test's hand. */
export class Harness {
  readonly clock = new ManualClock();
  readonly random: SeededRandom;
  readonly api: FakeTransport;
  /** `Kind/name Type Reason message`, as recorded. */
  readonly events: string[] = [];
  readonly #informers: InformerFactory;
  readonly #context: ControllerContext;
  readonly #running: RunningController[] = [];

  constructor({ seed = 1, options = {}, ...fake }: { seed?: number; options?: ControllersOptions } & Partial<Pick<FakeOptions, 'manual' | 'graceful'>> = {}) {
    this.random = new SeededRandom(seed);
    this.api = new FakeTransport({ clock: this.clock, random: this.random, ...fake });
    const logger = process.env['TEST_LOG'] ? createLogger((line) => void process.stderr.write(line), () => this.clock.now(), 'debug') : silentLogger;
    const base = { transport: this.api, clock: this.clock, random: this.random, logger };
    this.#informers = new InformerFactory(base);
    this.#context = {
      ...base,
      informers: this.#informers,
      options,
      events: {
        event: (target: EventTarget, type: EventType, reason: string, message: string) =>
          void this.events.push(`${target.kind}/${target.metadata?.name} ${type} ${reason} ${message}`),
      },
    };
  }

  async start(...entries: ControllerEntry['create'][]): Promise<void> {
    for (const create of entries) {
      const controller = create(this.#context);
      if (controller) this.#running.push(controller);
    }
    this.#informers.start();
    await Promise.all(this.#running.map((controller) => controller.start()));
    await settle();
  }

  async stop(): Promise<void> {
    this.#informers.stop();
    await Promise.all(this.#running.map((controller) => controller.stop()));
  }

  /** All pods, or those of one namespace. */
  pods(namespace?: string): Pod[] {
    return this.api.all<Pod>(pods, namespace);
  }

  /** Those that are neither finished nor being deleted. */
  activePods(): Pod[] {
    return this.pods().filter((pod) => pod.metadata!.deletionTimestamp === undefined && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded');
  }

  /** What scheduler and kubelet do to one pod: it runs and is ready (or not). */
  run(pod: Pod, { ready = true, node = 'node-1', ip = '10.0.0.1' } = {}): void {
    const now = rfc3339(this.clock.now());
    this.api.edit<Pod>(pods, pod.metadata!.namespace, pod.metadata!.name!, (copy) => {
      copy.spec = { containers: [], ...copy.spec, nodeName: copy.spec?.nodeName ?? node };
      copy.status = {
        ...copy.status,
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        startTime: copy.status?.startTime ?? now,
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: now }],
      };
    });
  }

  /** All active pods that are not ready become so, and pods being deleted go, until nothing changes. */
  async runAll(): Promise<void> {
    for (let round = 0; round < 50; round++) {
      await settle();
      const waiting = this.activePods().filter((pod) => !isReady(pod));
      const leaving = this.pods().filter((pod) => pod.metadata!.deletionTimestamp !== undefined && !pod.metadata!.finalizers?.length);
      if (waiting.length === 0 && leaving.length === 0) return;
      for (const pod of waiting) this.run(pod);
      for (const pod of leaving) this.api.remove(pods, pod.metadata!.namespace, pod.metadata!.name!);
    }
  }

  /** Ends a pod's containers. */
  finish(pod: Pod, phase: 'Succeeded' | 'Failed', exitCode = phase === 'Failed' ? 1 : 0): void {
    this.api.edit<Pod>(pods, pod.metadata!.namespace, pod.metadata!.name!, (copy) => {
      const finishedAt = rfc3339(this.clock.now());
      copy.status = {
        ...copy.status,
        phase,
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: finishedAt }],
        containerStatuses: [
          { name: 'main', ready: false, restartCount: 0, image: 'x', imageID: '', state: { terminated: { exitCode, finishedAt } } },
        ],
      };
    });
  }

  async addNode(name: string, change: (node: Node) => Node = (node) => node): Promise<Node> {
    const now = rfc3339(this.clock.now());
    const node: Node = {
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: {},
      status: {
        conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now, reason: 'KubeletReady' }],
        addresses: [{ type: 'InternalIP', address: '10.1.0.1' }],
      },
    };
    return this.api.create<Node>(nodes, undefined, change(node));
  }
}
