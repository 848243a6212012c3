import {
  controllerRevisions,
  daemonSets,
  deployments,
  endpoints,
  endpointSlices,
  events,
  jobs,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  serviceAccounts,
  services,
  statefulSets,
} from '../../src/client/resources.ts';
import type { ResourceRef, Transport } from '../../src/client/transport.ts';
import { rfc3339 } from '../../src/lib/clock.ts';
import { isCode } from '../../src/lib/errors.ts';
import type { DaemonSet, Deployment, StatefulSet } from '../../src/types/kubernetes/generated/apps-v1.ts';
import type { Job } from '../../src/types/kubernetes/generated/batch-v1.ts';
import type { Event, Node, PersistentVolumeClaim } from '../../src/types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../src/types/kubernetes/meta.ts';
import { PretendKubelet } from './kubelet.ts';
import { Normaliser } from './normalise.ts';

const NAMESPACE = 'scenario';
/** So long things must be as expected before they are written down: counts follow each other. */
const QUIET_MS = 400;

/** What was seen at each step of the scenario, comparable from one control plane to another. */
export type Findings = Record<string, unknown>;

/** Leads the controllers of a cluster through the main flows, and writes down what they made of it. */
export class Scenario {
  readonly #transport: Transport;
  readonly #normaliser = new Normaliser();
  readonly #findings: Findings = {};

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async run(): Promise<Findings> {
    const kubelet = new PretendKubelet(this.#transport, NAMESPACE);
    try {
      await this.#prepare();
      await this.#deployment();
      await this.#statefulSet();
      await this.#daemonSet();
      await this.#jobs();
      await this.#volumes();
      await this.#end();
    } finally {
      kubelet.stop();
    }
    return this.#findings;
  }

  async #prepare(): Promise<void> {
    for (const name of ['node-1', 'node-2']) {
      await this.#make(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
      const now = rfc3339(Date.now());
      await this.#transport.patch<Node>(
        nodes,
        undefined,
        name,
        'merge',
        {
          status: {
            conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: now, lastTransitionTime: now }],
            addresses: [{ type: 'InternalIP', address: '10.1.0.1' }],
          },
        },
        { subresource: 'status' },
      );
    }
    await this.#make(namespaces, { metadata: { name: NAMESPACE } });
    await this.#until('the default service account', async () => (await this.#list(serviceAccounts)).length > 0);
    await this.#note('namespace', serviceAccounts);
    await this.#make(services, {
      metadata: { name: 'web', labels: { l: 'x' } },
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'web' }] },
    });
    await this.#make(services, { metadata: { name: 'headless' }, spec: { clusterIP: 'None', selector: { app: 'web' } } });
    await this.#make(services, { metadata: { name: 'manual' }, spec: { ports: [{ port: 80 }] } });
    await this.#make(endpoints, { metadata: { name: 'manual' }, subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }] });
    await this.#make(podDisruptionBudgets, { metadata: { name: 'web' }, spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } } });
  }

  async #deployment(): Promise<void> {
    const settled = async (): Promise<boolean> => {
      const { metadata, spec, status = {} } = await this.#get<Deployment>(deployments, 'web');
      const wanted = spec!.replicas;
      return (
        status.observedGeneration! >= metadata!.generation! &&
        status.updatedReplicas === wanted &&
        status.replicas === wanted &&
        status.availableReplicas === wanted
      );
    };
    const image = (name: string): Promise<unknown> =>
      this.#transport.patch(deployments, NAMESPACE, 'web', 'strategic', {
        spec: { template: { spec: { containers: [{ name: 'c', image: name }] } } },
      });
    const condition = (reason: string) => async (): Promise<boolean> =>
      (await this.#get<Deployment>(deployments, 'web')).status!.conditions!.some((each) => each.reason === reason);
    await this.#make(deployments, {
      metadata: { name: 'web', annotations: { note: 'n' } },
      spec: { replicas: 3, revisionHistoryLimit: 2, selector: { matchLabels: { app: 'web' } }, template: template('web', 'v1') },
    });
    await this.#until('the first rollout', settled);
    await this.#note('first rollout', deployments, replicaSets, pods, endpoints, endpointSlices, podDisruptionBudgets);
    await image('v2');
    await this.#until('the update', settled);
    await this.#note('update', deployments, replicaSets);
    await image('v1');
    await this.#until('the way back', settled);
    await this.#note('way back', deployments, replicaSets);
    await this.#transport.patch(deployments, NAMESPACE, 'web', 'merge', { spec: { replicas: 5 } }, { subresource: 'scale' });
    await this.#until('scaling', settled);
    await this.#note('scaling', deployments, replicaSets);
    await this.#transport.patch(deployments, NAMESPACE, 'web', 'merge', { spec: { paused: true } });
    await this.#until('the pause', condition('DeploymentPaused'));
    await this.#note('pause', deployments);
    await this.#transport.patch(deployments, NAMESPACE, 'web', 'merge', { spec: { paused: false, progressDeadlineSeconds: 2 } });
    await this.#until('the resumption', async () => !(await condition('DeploymentPaused')()));
    await image('bad');
    await this.#until('the deadline', condition('ProgressDeadlineExceeded'));
    await this.#note('stuck', deployments, replicaSets);
    await image('v3');
    await this.#until('the recovery', settled);
    await this.#note('recovery', deployments, replicaSets);
  }

  async #statefulSet(): Promise<void> {
    const claim = {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: '', resources: { requests: { storage: '1Gi' } } },
    };
    await this.#make(statefulSets, {
      metadata: { name: 'db' },
      spec: {
        serviceName: 'db',
        replicas: 2,
        selector: { matchLabels: { app: 'db' } },
        template: template('db', 'v1'),
        volumeClaimTemplates: [claim],
      },
    });
    const settled = async (): Promise<boolean> => {
      const { metadata, status } = await this.#get<StatefulSet>(statefulSets, 'db');
      return (
        status!.observedGeneration! >= metadata!.generation! &&
        status!.readyReplicas === 2 &&
        status!.currentReplicas === 2 &&
        status!.currentRevision === status!.updateRevision
      );
    };
    await this.#until('the StatefulSet', settled);
    await this.#note('statefulset', statefulSets, controllerRevisions, persistentVolumeClaims, pods);
    await this.#transport.patch(statefulSets, NAMESPACE, 'db', 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image: 'v2' }] } } } });
    await this.#until('its update', settled);
    await this.#note('statefulset updated', statefulSets, controllerRevisions);
  }

  async #daemonSet(): Promise<void> {
    const settled = async (): Promise<boolean> => {
      const { metadata, status } = await this.#get<DaemonSet>(daemonSets, 'agent');
      return status!.observedGeneration! >= metadata!.generation! && status!.updatedNumberScheduled === 2 && status!.numberAvailable === 2;
    };
    await this.#make(daemonSets, { metadata: { name: 'agent' }, spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent', 'v1') } });
    await this.#until('the DaemonSet', settled);
    await this.#note('daemonset', daemonSets, controllerRevisions, pods);
    await this.#transport.patch(daemonSets, NAMESPACE, 'agent', 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image: 'v2' }] } } } });
    await this.#until('its update', settled);
    await this.#note('daemonset updated', daemonSets, controllerRevisions);
  }

  async #jobs(): Promise<void> {
    const job = (name: string, image: string, spec: object): Promise<void> =>
      this.#make(jobs, {
        metadata: { name },
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] } }, ...spec },
      });
    await job('plain', 'ok', { completions: 3, parallelism: 2 });
    await job('indexed', 'ok', { completions: 3, parallelism: 3, completionMode: 'Indexed' });
    await job('failing', 'fail', { backoffLimit: 0 });
    await job('suspended', 'ok', { suspend: true });
    const ends = { plain: 'Complete', indexed: 'Complete', failing: 'Failed', suspended: 'Suspended' };
    await this.#until('the jobs', async () => {
      const all = await Promise.all(
        Object.entries(ends).map(
          async ([name, type]) =>
            (await this.#get<Job>(jobs, name)).status?.conditions?.some(
              (condition) => condition.type === type && condition.status === 'True',
            ) ?? false,
        ),
      );
      return all.every(Boolean);
    });
    await this.#note('jobs', jobs, pods);
  }

  async #volumes(): Promise<void> {
    await this.#make(persistentVolumes, {
      metadata: { name: 'volume' },
      spec: { capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'manual', hostPath: { path: '/x' } },
    });
    await this.#make(persistentVolumeClaims, {
      metadata: { name: 'claim' },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'manual', resources: { requests: { storage: '1Gi' } } },
    });
    await this.#until(
      'the claim',
      async () => (await this.#get<PersistentVolumeClaim>(persistentVolumeClaims, 'claim')).status?.phase === 'Bound',
    );
    await this.#note('volumes', persistentVolumeClaims, persistentVolumes);
  }

  async #end(): Promise<void> {
    await this.#note('nodes', nodes);
    this.#noteEvents(await this.#list<Event>(events));
    await this.#transport.delete(deployments, NAMESPACE, 'web', { propagationPolicy: 'Foreground' });
    await this.#until('the deletion', async () => (await this.#list(deployments)).length === 0);
    await this.#note('deleted in the foreground', replicaSets);
    await this.#transport.delete(namespaces, undefined, NAMESPACE);
    await this.#until('the end of the namespace', async () => {
      try {
        await this.#transport.get(namespaces, undefined, NAMESPACE);
        return false;
      } catch (error) {
        return isCode(error, 'not-found');
      }
    });
    await this.#note('namespace gone', persistentVolumes);
  }

  /** Only which events there were: how often and in which steps depends on how fast others are. */
  #noteEvents(all: readonly Event[]): void {
    const lines = all.map(({ involvedObject, type, reason, message = '', source }) =>
      this.#normaliser.text(`${involvedObject.kind}/${involvedObject.name} ${type} ${reason} ${message} [${source?.component}]`),
    );
    const telling = lines
      .filter((line) => !line.includes('(combined from similar events)'))
      .map((line) => line.replace(/from \d+ to \d+/, 'from N to N'));
    this.#findings['events'] = [...new Set(telling)].toSorted((a, b) => (a < b ? -1 : 1));
  }

  async #make(resource: ResourceRef, body: object): Promise<void> {
    await this.#transport.create(resource, resource.namespaced ? NAMESPACE : undefined, body);
  }

  #get<T extends KubeObject>(resource: ResourceRef, name: string): Promise<T> {
    return this.#transport.get<T>(resource, NAMESPACE, name);
  }

  async #list<T extends KubeObject>(resource: ResourceRef): Promise<readonly T[]> {
    return (await this.#transport.list<T>(resource, resource.namespaced ? NAMESPACE : undefined)).items;
  }

  async #note(title: string, ...resources: ResourceRef[]): Promise<void> {
    const lists = await Promise.all(resources.map((resource) => this.#list(resource)));
    for (const list of lists) this.#normaliser.learn(list);
    for (const [at, resource] of resources.entries()) this.#findings[`${title}: ${resource.resource}`] = this.#normaliser.list(lists[at]!);
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 40_000;
    for (let since: number | undefined; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      if (!(await holds())) since = undefined;
      else if (since === undefined) since = Date.now();
      else if (Date.now() - since >= QUIET_MS) return;
      if (Date.now() > deadline) throw new Error(`${what} did not come about within 40 s`);
    }
  }
}

function template(app: string, image: string): object {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'c', image, ports: [{ name: 'web', containerPort: 8080 }] }] } };
}
