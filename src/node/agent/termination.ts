import { messageOf } from '../../lib/errors.ts';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { AgentContext } from './context.ts';
import { runHook } from './hooks.ts';
import { ephemeralContainers, isSidecar } from './plan.ts';
import { viewPod, type PodView } from './view.ts';

const SHORTEST_GRACE_S = 1;
/** How often a longer wait looks whether the grace was cut short, in milliseconds. */
const LOOK_MS = 250;
/** The longest that traffic is waited for to go elsewhere, and how often it is looked whether it has, in milliseconds. */
const MOST_DRAIN_MS = 5000;
const DRAIN_LOOK_MS = 20;

/**
 * Ends a pod's containers within its grace: what took traffic drains first, then preStop, the stop signal, and at the end
 * SIGKILL; side-cars go last, in reverse order. A shorter grace that comes meanwhile counts at once. `graceSeconds` comes
 * before what the pod says.
 */
export async function terminatePod(
  context: AgentContext,
  current: () => { readonly pod: Pod; readonly removed: boolean; readonly graceSeconds?: number },
  view: PodView,
  killing: (container: string, message: string) => void,
  seen: (view: PodView) => void,
): Promise<void> {
  const { cri, clock, prober, logger } = context;
  const uid = current().pod.metadata?.uid ?? '';
  const begun = clock.monotonic();
  const graceMs = (): number => {
    const { pod, removed, graceSeconds } = current();
    const seconds = removed ? SHORTEST_GRACE_S : graceSeconds ?? pod.metadata?.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
    return Math.max(SHORTEST_GRACE_S, seconds) * 1000;
  };
  /** Whole milliseconds, as timers want them. */
  const leftMs = (): number => Math.max(0, Math.ceil(begun + graceMs() - clock.monotonic()));
  const running = (container: Container): string | undefined => {
    const latest = view.containers.get(container.name)?.latest;
    return latest?.state === 'CONTAINER_RUNNING' ? latest.id : undefined;
  };

  const { pod } = current();
  const tookTraffic = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  const regular = [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []).filter((container) => !isSidecar(container)),
    ...ephemeralContainers(pod),
  ];
  if (tookTraffic && regular.some(running) && graceMs() > 2 * context.drainMs) {
    await clock.sleep(context.drainMs);
    // A machine under load may need longer to hear of its end.
    const address = view.sandbox?.network.ip;
    const most = Math.min(begun + graceMs() / 2, begun + MOST_DRAIN_MS);
    while (address !== undefined && context.takesTraffic(address) && clock.monotonic() < most) await clock.sleep(DRAIN_LOOK_MS);
  }

  const end = async (container: Container): Promise<void> => {
    const id = running(container);
    if (id === undefined) return;
    killing(container.name, `Stopping container ${container.name}`);
    if (container.lifecycle?.preStop) {
      const address = pod.spec?.hostNetwork ? context.nodeAddress : view.sandbox?.network.ip ?? '';
      const failure = await Promise.race([
        runHook(cri, clock, container.lifecycle.preStop, container, id, address, Math.max(1000, leftMs())),
        clock.sleep(leftMs()).then(() => 'it did not end within the grace period'),
      ]);
      if (failure !== undefined) {
        context.events.event(
          {
            apiVersion: 'v1',
            kind: 'Pod',
            ...(pod.metadata && { metadata: pod.metadata }),
            fieldPath: `spec.containers{${container.name}}`,
          },
          'Warning',
          'FailedPreStopHook',
          `PreStopHook failed: ${failure}`,
        );
      }
    }
    prober.unwatch(id);
    await stopWithin(id);
  };

  /** Stops with what grace is left, and again with less when it is cut. */
  const stopWithin = async (id: string): Promise<void> => {
    let promised = leftMs();
    let over = false;
    const stopped = cri.stopContainer(id, Math.ceil(promised / 1000)).finally(() => (over = true));
    const watch = async (): Promise<void> => {
      while (!over) {
        await clock.sleep(LOOK_MS);
        const left = leftMs();
        if (over || left >= promised - LOOK_MS * 2) {
          promised = Math.min(promised, left);
          continue;
        }
        promised = left;
        cri
          .stopContainer(id, Math.ceil(left / 1000))
          .catch((error: unknown) => logger.warn('could not stop a container sooner', { container: id, error: messageOf(error) }));
      }
    };
    void watch();
    await stopped;
  };

  await Promise.all(regular.map(end));
  for (const sidecar of (pod.spec?.initContainers ?? []).filter(isSidecar).reverse()) await end(sidecar);
  for (const { latest } of view.containers.values()) prober.unwatch(latest.id);
  if (view.sandbox) await cri.stopPodSandbox(view.sandbox.id);
  seen(await viewPod(cri, uid));
}
