import { EventWriter } from '../../client/events.ts';
import type { InformerFactory } from '../../client/informer-factory.ts';
import { namespaces, nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import { rfc3339, type Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Binding, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { StorageClass } from '../../types/kubernetes/generated/storage-v1.ts';
import { Scheduler } from './scheduler.ts';
import type { ClaimView } from './volumes.ts';

export interface StartSchedulerOptions {
  readonly transport: Transport;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Serves pods with this spec.schedulerName; `default-scheduler`. */
  readonly name?: string;
}

/** Annotation with which the scheduler tells the binder of volumes where the pod goes. */
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

/** Ties the scheduler to an API server: informers in, bindings, conditions and events out. Begins when nodes and pods are known. */
export function startScheduler({ transport, informers, clock, logger, name = 'default-scheduler' }: StartSchedulerOptions): { close(): void } {
  const events = new EventWriter({ transport, clock, logger, component: name });
  const nodeInformer = informers.for<Node>(nodes);
  const podInformer = informers.for<Pod>(pods);
  const namespaceInformer = informers.for<Namespace>(namespaces);
  const claims = informers.for<PersistentVolumeClaim>(persistentVolumeClaims);
  const volumes = informers.for<PersistentVolume>(persistentVolumes);
  const classes = informers.for<StorageClass>(storageClasses);

  const claim = (namespace: string, claimName: string): ClaimView => {
    const found = claims.store.get(`${namespace}/${claimName}`);
    if (!found) return { state: 'missing' };
    if (found.spec?.volumeName && found.status?.phase === 'Bound') {
      return { state: 'bound', affinity: volumes.store.get(found.spec.volumeName)?.spec?.nodeAffinity?.required };
    }
    const mode = classes.store.get(found.spec?.storageClassName ?? '')?.volumeBindingMode;
    return mode === 'WaitForFirstConsumer' ? { state: 'waits-for-node', selectedNode: found.metadata?.annotations?.[SELECTED_NODE] } : { state: 'unbound' };
  };

  /** Claims that wait for their pod's node are told, and the binding waits until they are bound. */
  async function bindClaims(pod: Pod, node: string): Promise<void> {
    const namespace = pod.metadata?.namespace ?? '';
    for (const volume of pod.spec?.volumes ?? []) {
      const claimName = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod.metadata?.name}-${volume.name}` : undefined);
      if (claimName === undefined || claim(namespace, claimName).state !== 'waits-for-node') continue;
      await transport.patch(persistentVolumeClaims, namespace, claimName, 'merge', { metadata: { annotations: { [SELECTED_NODE]: node } } });
      await bound(namespace, claimName);
    }
  }

  const BIND_TIMEOUT_MS = 600_000;
  function bound(namespace: string, claimName: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = clock.after(BIND_TIMEOUT_MS, () =>
        finish(new Error(`persistentvolumeclaim "${claimName}" was not bound within ${BIND_TIMEOUT_MS / 1000} s`)),
      );
      const look = (): void => {
        if (claim(namespace, claimName).state === 'bound') finish();
      };
      const stop = claims.on({ update: look, add: look });
      const finish = (error?: Error): void => {
        cancel();
        queueMicrotask(() => stop());
        if (error) reject(error);
        else resolve();
      };
    });
  }

  const scheduler = new Scheduler({
    name, clock, logger,
    context: { volumes: { claim }, namespaceLabels: (namespace) => namespaceInformer.store.get(namespace)?.metadata?.labels },
    actions: {
      async bind(pod, node) {
        if ((pod.spec?.volumes ?? []).some((volume) => volume.persistentVolumeClaim || volume.ephemeral)) await bindClaims(pod, node);
        const { name: podName = '', namespace, uid } = pod.metadata ?? {};
        const binding: Binding = {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name: podName, ...(namespace && { namespace }), ...(uid && { uid }) },
          target: { apiVersion: 'v1', kind: 'Node', name: node },
        };
        await transport.createSubresource(pods, namespace, podName, 'binding', binding);
      },
      async markUnschedulable(pod, message, nominatedNode) {
        const now = rfc3339(clock.now());
        const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
        const condition = {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message,
          ...(pod.metadata?.generation !== undefined && { observedGeneration: pod.metadata.generation }),
          lastProbeTime: null,
          lastTransitionTime: before?.status === 'False' ? before.lastTransitionTime : now,
        };
        await transport.patch(
          pods,
          pod.metadata?.namespace,
          pod.metadata?.name ?? '',
          'strategic',
          { status: { conditions: [condition], ...(nominatedNode !== undefined && { nominatedNodeName: nominatedNode }) } },
          { subresource: 'status' },
        );
      },
      async evict(victim, by) {
        const condition = {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'PreemptionByScheduler',
          message: `${name}: preempting to accommodate a higher priority pod ${by.metadata?.namespace}/${by.metadata?.name}`,
          lastTransitionTime: rfc3339(clock.now()),
        };
        await transport.patch(
          pods,
          victim.metadata?.namespace,
          victim.metadata?.name ?? '',
          'strategic',
          { status: { conditions: [condition] } },
          { subresource: 'status' },
        );
        await transport.delete(pods, victim.metadata?.namespace, victim.metadata?.name ?? '', {
          preconditions: { uid: victim.metadata?.uid ?? '' },
        });
      },
      event: (pod, type, reason, message) =>
        events.event({ apiVersion: 'v1', kind: 'Pod', ...(pod.metadata && { metadata: pod.metadata }) }, type, reason, message),
    },
  });

  let closed = false;
  const stops: (() => void)[] = [];
  // Nodes first, and all of them: a pod that is planned with half of the nodes known gets a bad place, or a false refusal.
  void Promise.all([nodeInformer, namespaceInformer, claims, volumes, classes, podInformer].map((informer) => informer.synced)).then(() => {
    if (closed) return;
    const wake = (): void => scheduler.wake();
    stops.push(
      nodeInformer.on({
        add: (node) => scheduler.nodeChanged(node),
        update: (_, node) => scheduler.nodeChanged(node),
        delete: (node) => scheduler.nodeDeleted(node),
      }),
      podInformer.on({
        add: (pod) => scheduler.podChanged(pod),
        update: (_, pod) => scheduler.podChanged(pod),
        delete: (pod) => scheduler.podDeleted(pod),
      }),
      claims.on({ add: wake, update: wake }),
      volumes.on({ add: wake, update: wake }),
      classes.on({ add: wake }),
      namespaceInformer.on({ update: wake }),
    );
  });
  return {
    close() {
      closed = true;
      for (const stop of stops) stop();
      scheduler.close();
    },
  };
}
