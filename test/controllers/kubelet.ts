import { pods } from '../../src/client/resources.ts';
import type { Transport } from '../../src/client/transport.ts';
import { rfc3339 } from '../../src/lib/clock.ts';
import { isCode } from '../../src/lib/errors.ts';
import type { Pod } from '../../src/types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../src/types/kubernetes/meta.ts';

/** Ends a pod's containers so long after it ran. */
const RUN_MS = 200;

/**
 * Stands for scheduler and kubelets: places each pod where it was made for (or
 * on node-1) and lets it run. The image says what becomes of it: `ok` and
 * `fail` end, `bad` never starts, all others serve.
 */
export class PretendKubelet {
  readonly #transport: Transport;
  readonly #namespace: string;
  readonly #done = new Map<string, 'placed' | 'running' | 'deleted'>();
  #address = 0;
  #stopped = false;
  #stop: () => void = () => {};

  constructor(transport: Transport, namespace: string) {
    this.#transport = transport;
    this.#namespace = namespace;
    this.#watch();
  }

  stop(): void {
    this.#stopped = true;
    this.#stop();
  }

  #watch(): void {
    if (this.#stopped) return;
    this.#stop = this.#transport.watch<Pod>(
      pods,
      this.#namespace,
      {},
      {
        event: (type, pod) => type !== 'BOOKMARK' && type !== 'DELETED' && void this.#step(pod),
        ended: () => setTimeout(() => this.#watch(), 100),
      },
    );
  }

  async #step(pod: Pod): Promise<void> {
    const { uid, name, deletionTimestamp } = pod.metadata!;
    const state = this.#done.get(uid!);
    try {
      if (deletionTimestamp !== undefined) {
        if (state === 'deleted') return;
        this.#done.set(uid!, 'deleted');
        await new Promise((resolve) => setTimeout(resolve, 30));
        await this.#transport.delete(pods, this.#namespace, name!, { gracePeriodSeconds: 0 });
      } else if (!pod.spec?.nodeName) {
        if (state !== undefined) return;
        this.#done.set(uid!, 'placed');
        const node =
          pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]?.matchFields?.[0]
            ?.values?.[0] ?? 'node-1';
        await this.#transport.createSubresource(pods, this.#namespace, name!, 'binding', {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name },
          target: { kind: 'Node', name: node },
        } as KubeObject);
      } else if (state === 'placed') {
        this.#done.set(uid!, 'running');
        await this.#run(pod);
      }
    } catch (error) {
      if (!isCode(error, 'not-found') && !isCode(error, 'conflict')) throw error;
    }
  }

  async #run(pod: Pod): Promise<void> {
    const { image, name } = pod.spec!.containers[0]!;
    if (image === 'bad') return;
    const now = rfc3339(Date.now());
    const ip = `10.244.9.${++this.#address}`;
    const status = (phase: string, ready: boolean, state: object): unknown => ({
      status: {
        phase,
        podIP: ip,
        podIPs: [{ ip }],
        startTime: now,
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: now }],
        containerStatuses: [{ name, image, imageID: 'x', ready, started: ready, restartCount: 0, state }],
      },
    });
    const patch = (body: unknown): Promise<unknown> =>
      this.#transport.patch(pods, this.#namespace, pod.metadata!.name!, 'strategic', body, { subresource: 'status' });
    await patch(status('Running', true, { running: { startedAt: now } }));
    if (image !== 'ok' && image !== 'fail') return;
    await new Promise((resolve) => setTimeout(resolve, RUN_MS));
    await patch(
      status(image === 'ok' ? 'Succeeded' : 'Failed', false, {
        terminated: { exitCode: image === 'ok' ? 0 : 1, reason: 'Ended', startedAt: now, finishedAt: rfc3339(Date.now()) },
      }),
    );
  }
}
