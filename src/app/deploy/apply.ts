import { request } from 'node:http';
import { deployments, endpointSlices, pods, services, statefulSets, daemonSets, jobs } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorCode, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { DaemonSet, Deployment, StatefulSet } from '../../types/kubernetes/generated/apps-v1.ts';
import type { Job } from '../../types/kubernetes/generated/batch-v1.ts';
import type { Pod, Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../types/kubernetes/generated/discovery-v1.ts';
import { RESOURCES } from '../../types/kubernetes/generated/resources.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import { whyPod } from '../why.ts';

/** Namespaces and definitions before what lies in them, configuration before what reads it, workloads last. */
const ORDER = [
  'Namespace',
  'CustomResourceDefinition',
  'StorageClass',
  'PriorityClass',
  'ServiceAccount',
  'ClusterRole',
  'Role',
  'ClusterRoleBinding',
  'RoleBinding',
  'ConfigMap',
  'Secret',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Service',
];
const FIELD_MANAGER = 'longshore-up';

/**
 * Server-side apply of all objects.
 * @param sourceOf the file that an object is from, for errors
 * @throws LongshoreError `not-implemented` for a kind that the API does not have, and with the API's own code for what it refuses
 */
export async function applyAll(
  transport: Transport,
  objects: readonly KubeObject[],
  namespace: string,
  sourceOf: (object: KubeObject) => string | undefined = () => undefined,
): Promise<void> {
  const rank = ({ kind = '' }: KubeObject): number => ORDER.indexOf(kind) + 1 || ORDER.length + 1;
  for (const object of [...objects].sort((a, b) => rank(a) - rank(b))) {
    const name = object.metadata?.name;
    try {
      const { resource, namespaced } = resourceOf(object);
      if (!name) {
        throw new LongshoreError('invalid', 'it has no metadata.name', {
          remedy: 'Name it: up applies objects, and does not make new ones each time.',
        });
      }
      await transport.patch(resource, namespaced ? (object.metadata?.namespace ?? namespace) : undefined, name, 'apply', object, {
        fieldManager: FIELD_MANAGER,
        force: true,
      });
    } catch (error) {
      const file = sourceOf(object);
      const what = `${object.kind}${name ? `/${name}` : ''}`;
      const remedy = error instanceof LongshoreError ? error.remedy : undefined;
      throw new LongshoreError(errorCode(error), `${what}${file === undefined ? '' : ` of ${file}`} was not applied: ${messageOf(error)}`, {
        object: what,
        remedy: remedy ?? 'Correct it there, and run longshore up again.',
        cause: error,
      });
    }
  }
}

function resourceOf(object: KubeObject): { readonly resource: typeof deployments; readonly namespaced: boolean } {
  const found = RESOURCES.find(
    ({ group, version, kind }) => kind === object.kind && (group === '' ? version : `${group}/${version}`) === object.apiVersion,
  );
  if (!found) {
    throw new LongshoreError('not-implemented', `the API has no kind ${object.kind} of ${object.apiVersion}`, {
      remedy: 'Check apiVersion and kind: kubectl api-resources',
    });
  }
  return { resource: found, namespaced: found.namespaced };
}

/** How often what does not push is asked, in milliseconds. */
const POLL_MS = 50;

/**
 * Waits until everything that was applied has come about: workloads available.
 * @throws LongshoreError `timeout`, naming what is not there yet
 */
export async function waitForWorkloads(
  transport: Transport,
  objects: readonly KubeObject[],
  namespace: string,
  clock: Clock,
  timeoutMs: number,
  note: (detail: string) => void,
): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs;
  for (const { kind, metadata } of objects) {
    const name = metadata?.name ?? '';
    const space = metadata?.namespace ?? namespace;
    const check = CHECKS[kind ?? ''];
    if (!check) continue;
    for (;;) {
      const missing = await check(transport, space, name);
      if (missing === undefined) break;
      note(`${kind?.toLowerCase()}/${name}: ${missing}`);
      if (clock.monotonic() > deadline) {
        throw await late(
          transport,
          `${kind?.toLowerCase()}/${name} did not become available within ${timeoutMs / 1000} s: ${missing}`,
          space,
          name,
        );
      }
      await clock.sleep(POLL_MS);
    }
  }
}

/** The error for a workload that does not come about, with the reason of the first of its pods that is not ready. */
async function late(transport: Transport, message: string, namespace: string, name: string): Promise<LongshoreError> {
  const remedy = `Ask why: longshore why pod/NAME -n ${namespace} (kubectl -n ${namespace} get pods lists them)`;
  const { items } = await transport.list<Pod>(pods, namespace);
  // Pods of a workload begin with its name.
  const pod = items.find(
    ({ metadata, status }) =>
      metadata?.name?.startsWith(`${name}-`) &&
      metadata.deletionTimestamp === undefined &&
      !status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True'),
  );
  if (pod === undefined) return new LongshoreError('timeout', message, { remedy });
  const why = await whyPod(transport, namespace, pod.metadata?.name ?? '', () => Promise.resolve(undefined));
  return new LongshoreError('timeout', [message, `  ${why.summary}`, ...why.details.map((line) => `    ${line}`)].join('\n'), { remedy: why.remedy ?? remedy });
}

type Check = (transport: Transport, namespace: string, name: string) => Promise<string | undefined>;

const CHECKS: Readonly<Record<string, Check>> = {
  async Deployment(transport, namespace, name) {
    const { metadata, spec, status } = await transport.get<Deployment>(deployments, namespace, name);
    const wanted = spec?.replicas ?? 1;
    const ready = Math.min(status?.updatedReplicas ?? 0, status?.availableReplicas ?? 0);
    return (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) && ready >= wanted && (status?.replicas ?? 0) <= wanted
      ? undefined
      : `${ready} of ${wanted} pods are available`;
  },
  async StatefulSet(transport, namespace, name) {
    const { spec, status } = await transport.get<StatefulSet>(statefulSets, namespace, name);
    return (status?.readyReplicas ?? 0) >= (spec?.replicas ?? 1) ? undefined : `${status?.readyReplicas ?? 0} of ${spec?.replicas ?? 1} pods are ready`;
  },
  async DaemonSet(transport, namespace, name) {
    const { metadata, status } = await transport.get<DaemonSet>(daemonSets, namespace, name);
    return (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
      (status?.numberReady ?? 0) >= (status?.desiredNumberScheduled ?? 1)
      ? undefined
      : `${status?.numberReady ?? 0} of ${status?.desiredNumberScheduled ?? '?'} pods are ready`;
  },
  async Job(transport, namespace, name) {
    const { status } = await transport.get<Job>(jobs, namespace, name);
    const failed = status?.conditions?.find(({ type, status: holds }) => type === 'Failed' && holds === 'True');
    if (failed) {
      throw new LongshoreError('conflict', `job/${name} failed: ${failed.message ?? failed.reason}`, {
        remedy: `See its log: kubectl -n ${namespace} logs job/${name}`,
      });
    }
    return status?.conditions?.some(({ type, status: holds }) => type === 'Complete' && holds === 'True')
      ? undefined
      : 'it has not completed';
  },
};

/** Addresses at which Services of the project answer from this machine: NodePorts on loopback, addresses of load balancers. */
export async function serviceUrls(
  transport: Transport,
  objects: readonly KubeObject[],
  namespace: string,
): Promise<{ readonly name: string; readonly url: string }[]> {
  const urls: { name: string; url: string }[] = [];
  for (const { kind, metadata } of objects) {
    if (kind !== 'Service') continue;
    const service = await transport.get<Service>(services, metadata?.namespace ?? namespace, metadata?.name ?? '');
    const port = service.spec?.ports?.find(({ nodePort, protocol }) => nodePort && (protocol ?? 'TCP') === 'TCP');
    if (port?.nodePort) urls.push({ name: service.metadata?.name ?? '', url: `http://127.0.0.1:${port.nodePort}/` });
  }
  return urls;
}

/** Waits until each Service has an endpoint, and its address takes a connection and answers. @throws LongshoreError `timeout` */
export async function waitForAnswers(
  transport: Transport,
  objects: readonly KubeObject[],
  namespace: string,
  urls: readonly { readonly name: string; readonly url: string }[],
  clock: Clock,
  timeoutMs: number,
  note: (detail: string) => void,
): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs;
  const over = (what: string): void => {
    if (clock.monotonic() > deadline) {
      throw new LongshoreError('timeout', `${what} within ${timeoutMs / 1000} s`, {
        remedy: 'See: kubectl get endpointslices, kubectl get pods',
      });
    }
  };
  for (const { kind, metadata } of objects) {
    if (kind !== 'Service') continue;
    const service = await transport.get<Service>(services, metadata?.namespace ?? namespace, metadata?.name ?? '');
    if (!service.spec?.selector || service.spec.type === 'ExternalName') continue;
    for (;;) {
      const slices = await transport.list<EndpointSlice>(endpointSlices, service.metadata?.namespace, {
        labelSelector: `kubernetes.io/service-name=${service.metadata?.name}`,
      });
      if (slices.items.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false))) break;
      note(`service/${service.metadata?.name} has no endpoints yet`);
      over(`service/${service.metadata?.name} got no endpoints`);
      await clock.sleep(POLL_MS);
    }
  }
  for (const { name, url } of urls) {
    while (!(await answers(url))) {
      note(`${url} does not answer yet`);
      over(`service/${name} did not answer at ${url}`);
      await clock.sleep(POLL_MS);
    }
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(url, { timeout: 2000 }, (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) < 500);
    });
    outgoing.on('timeout', () => outgoing.destroy()).on('error', () => resolve(false)).end();
  });
}
