import { EventWriter } from '../../client/events.ts';
import { InformerFactory } from '../../client/informer-factory.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { ControllerEntry, RunningController } from './context.ts';
import { createRootCaPublisher } from './bootstrap/root-ca.ts';
import { createServiceAccountController } from './bootstrap/service-account.ts';
import { CertificateController } from './certificate/controller.ts';
import { CronJobController } from './cron-job/controller.ts';
import { DaemonSetController } from './daemon-set/controller.ts';
import { DeploymentController } from './deployment/controller.ts';
import { DisruptionController } from './disruption/controller.ts';
import { EndpointsController } from './endpoints/controller.ts';
import { EndpointMirrorController } from './endpoints/mirror-controller.ts';
import { EndpointSliceController } from './endpoints/slice-controller.ts';
import { GarbageCollector } from './garbage/collector.ts';
import { JobController } from './job/controller.ts';
import { TtlAfterFinishedController } from './job/ttl.ts';
import { NamespaceController } from './namespace/controller.ts';
import { createNodeIpamController } from './node/ipam.ts';
import { NodeLifecycleController } from './node/lifecycle-controller.ts';
import { PodGarbageCollector } from './node/pod-gc.ts';
import { TaintEvictionController } from './node/taint-eviction.ts';
import type { ControllersOptions } from './options.ts';
import { ReplicaController } from './replica-set/controller.ts';
import { replicaSetKind, replicationControllerKind } from './replica-set/kinds.ts';
import { ResourceQuotaController } from './quota/controller.ts';
import { ClusterRoleAggregationController } from './rbac/aggregation.ts';
import { createLoadBalancerController } from './service/load-balancer.ts';
import { StatefulSetController } from './stateful-set/controller.ts';
import { VolumeBinder } from './volume/binder.ts';
import { EphemeralVolumeController } from './volume/ephemeral.ts';
import { createClaimProtection, createVolumeProtection } from './volume/protection.ts';

export { STANDARD_CLASS } from './volume/local-path.ts';

/** All controllers. Each stands alone: it knows the API and nothing of the others. */
const CONTROLLERS: readonly ControllerEntry[] = [
  { name: 'deployment-controller', create: (context) => new DeploymentController(context) },
  { name: 'replicaset-controller', create: (context) => new ReplicaController(context, replicaSetKind) },
  { name: 'replication-controller', create: (context) => new ReplicaController(context, replicationControllerKind) },
  { name: 'statefulset-controller', create: (context) => new StatefulSetController(context) },
  { name: 'daemon-set-controller', component: 'daemonset-controller', create: (context) => new DaemonSetController(context) },
  { name: 'job-controller', create: (context) => new JobController(context) },
  { name: 'cronjob-controller', create: (context) => new CronJobController(context) },
  { name: 'ttl-after-finished-controller', create: (context) => new TtlAfterFinishedController(context) },
  { name: 'endpoint-controller', create: (context) => new EndpointsController(context) },
  { name: 'endpointslice-controller', component: 'endpoint-slice-controller', create: (context) => new EndpointSliceController(context) },
  { name: 'endpointslicemirroring-controller', component: 'endpoint-slice-mirroring-controller', create: (context) => new EndpointMirrorController(context) },
  { name: 'service-account-controller', create: createServiceAccountController },
  { name: 'root-ca-cert-publisher', create: createRootCaPublisher },
  { name: 'namespace-controller', create: (context) => new NamespaceController(context) },
  { name: 'generic-garbage-collector', component: 'garbage-collector-controller', create: (context) => new GarbageCollector(context) },
  { name: 'disruption-controller', component: 'controllermanager', create: (context) => new DisruptionController(context) },
  { name: 'resourcequota-controller', create: (context) => new ResourceQuotaController(context) },
  { name: 'certificate-controller', create: (context) => new CertificateController(context) },
  { name: 'clusterrole-aggregation-controller', create: (context) => new ClusterRoleAggregationController(context) },
  { name: 'service-controller', create: createLoadBalancerController },
  { name: 'node-controller', create: (context) => new NodeLifecycleController(context) },
  { name: 'node-controller', component: 'taint-eviction-controller', create: (context) => new TaintEvictionController(context) },
  { name: 'node-controller', component: 'cidrAllocator', create: createNodeIpamController },
  { name: 'pod-garbage-collector', create: (context) => new PodGarbageCollector(context) },
  { name: 'persistent-volume-binder', component: 'persistentvolume-controller', create: (context) => new VolumeBinder(context) },
  { name: 'pvc-protection-controller', create: createClaimProtection },
  { name: 'pv-protection-controller', create: createVolumeProtection },
  { name: 'ephemeral-volume-controller', component: 'ephemeral_volume', create: (context) => new EphemeralVolumeController(context) },
];

export interface StartOptions {
  /**
   * A transport for each controller, by its service account in kube-system; and
   * one for `kube-controller-manager`, which all watches go through: it must be
   * allowed to get, list and watch everything.
   */
  readonly transportFor: (name: string) => Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly options?: ControllersOptions;
  /** Which controllers; all where it is left out. */
  readonly only?: readonly string[];
}

export interface RunningControllers {
  /** Resolves when all of them are at work. */
  readonly ready: Promise<void>;
  /** Stops all; resolves when nothing runs any more. May be called twice. */
  stop(): Promise<void>;
}

/** Starts the controllers; they share their watches. */
export function startControllers({ transportFor, clock, random, logger, options = {}, only }: StartOptions): RunningControllers {
  const informers = new InformerFactory({ transport: transportFor('kube-controller-manager'), clock, random, logger });
  const running: RunningController[] = [];
  for (const entry of CONTROLLERS) {
    if (only && !only.includes(entry.name)) continue;
    const transport = transportFor(entry.name);
    const log = logger.child({ controller: entry.name });
    const events = new EventWriter({ transport, clock, logger: log, component: entry.component ?? entry.name });
    const controller = entry.create({ transport, informers, events, clock, random, logger: log, options });
    if (controller) running.push(controller);
  }
  informers.start();
  const ready = Promise.all(running.map((controller) => controller.start())).then(() => undefined);
  return {
    ready,
    async stop() {
      informers.stop();
      await Promise.all(running.map((controller) => controller.stop()));
    },
  };
}
