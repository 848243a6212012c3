import { events, nodes, pods } from '../client/resources.ts';
import { HttpTransport } from '../client/http-transport.ts';
import type { Transport } from '../client/transport.ts';
import type { ContainerStatus, Event, Node, Pod } from '../types/kubernetes/generated/core-v1.ts';
import type { ClientConfig } from '../client/kubeconfig.ts';
import { systemClock } from '../lib/clock.ts';
import { isCode, LongshoreError } from '../lib/errors.ts';
import { request } from 'node:https';
import type { Explanation } from './explanation.ts';
import { whyPending } from './why-pending.ts';

/** Reads the last lines of a container's log; empty when there are none, undefined where nobody can look. */
export type LogTail = (namespace: string, pod: string, container: string, previous: boolean) => Promise<string | undefined>;

/** The log of a container by the API server's own log endpoint. */
export function logTail(config: ClientConfig, lines: number): LogTail {
  return (namespace, pod, container, previous) =>
    new Promise((resolve, reject) => {
      const url = `${config.server}/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log?container=${encodeURIComponent(container)}&tailLines=${lines}${previous ? '&previous=true' : ''}`;
      request(
        url,
        {
          ca: config.ca,
          cert: config.certificate,
          key: config.key,
          ...(config.token && { headers: { authorization: `Bearer ${config.token}` } }),
        },
        (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (piece: string) => (text += piece))
            .on('end', () => resolve(response.statusCode === 200 ? text : ''))
            .on('error', reject);
        },
      )
        .on('error', reject)
        .end();
    });
}

/** Opens a transport as the kubeconfig's user. */
export function connect(config: ClientConfig): Transport & { close?(): void } {
  return new HttpTransport({ config, clock: systemClock });
}

/** Explains a pod's state. @throws LongshoreError `not-found` */
export async function whyPod(transport: Pick<Transport, 'get' | 'list'>, namespace: string, name: string, tail: LogTail): Promise<Explanation> {
  const pod = await transport.get<Pod>(pods, namespace, name).catch((error: unknown) => {
    if (!isCode(error, 'not-found')) throw error;
    throw new LongshoreError('not-found', `there is no pod ${name} in the namespace ${namespace}`, {
      object: `pod ${namespace}/${name}`,
      remedy: 'See which there are (kubectl get pods -A), and name its namespace with -n.',
      cause: error,
    });
  });
  const history = await transport.list<Event>(events, namespace, {
    fieldSelector: `involvedObject.name=${name},involvedObject.uid=${pod.metadata?.uid ?? ''}`,
  });
  const told = [...history.items].sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? 1 : -1));
  const object = `pod ${namespace}/${name}`;
  if (pod.metadata?.deletionTimestamp) {
    const held = pod.metadata.finalizers?.length ? [`It is held by the finalizers ${pod.metadata.finalizers.join(', ')}.`] : [];
    return {
      summary: `${object} is being deleted since ${pod.metadata.deletionTimestamp}.`,
      details: [...held, ...warnings(told)],
      remedy: held.length > 0 ? 'Whoever set the finalizers must remove them.' : undefined,
    };
  }
  if (!pod.spec?.nodeName) return whyPending(transport, pod, object, warnings(told));
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const found = await whyContainer(pod, status, object, tail, told);
    if (found) return found;
  }
  if (pod.status?.phase === 'Running' && pod.status.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True') {
    const unready = (pod.status.containerStatuses ?? []).filter(({ ready }) => !ready).map((status) => status.name);
    if (unready.length === 0) return whyNotReady(transport, pod, object, warnings(told));
    return {
      summary: `${object} runs, but is not ready: ${unready.join(', ')} ${unready.length === 1 ? 'does' : 'do'} not pass the readiness probe.`,
      details: warnings(told),
      remedy: `See what it answers: kubectl -n ${namespace} logs ${name} ${unready[0] ?? ''}`.trim(),
    };
  }
  const hindrance = told.find(
    ({ type, reason }) => type === 'Warning' && (reason === 'FailedCreatePodSandBox' || reason === 'FailedMount'),
  );
  if (pod.status?.phase === 'Pending' && hindrance) {
    return {
      summary: `${object} is on node ${pod.spec.nodeName} and can't be started: ${hindrance.message}`,
      details: warnings(told),
      remedy: 'Correct what the message names; the pod goes on by itself.',
    };
  }
  if (pod.status?.phase === 'Pending') {
    return { summary: `${object} is on node ${pod.spec.nodeName} and is being started.`, details: warnings(told), remedy: undefined };
  }
  return {
    summary: `${object} is ${pod.status?.phase ?? 'in no known phase'}${pod.status?.phase === 'Running' ? ' and ready' : ''}.`,
    details: pod.status?.message ? [pod.status.message] : [],
    remedy: undefined,
  };
}

/** Its containers are ready, and the pod is not: its node is silent, or a readiness gate waits. */
async function whyNotReady(transport: Pick<Transport, 'get'>, { spec, status }: Pod, object: string, details: readonly string[]): Promise<Explanation> {
  const node = await transport.get<Node>(nodes, undefined, spec?.nodeName ?? '').catch((error: unknown) => {
    if (!isCode(error, 'not-found')) throw error;
    return undefined;
  });
  const healthy = node?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (healthy?.status !== 'True') {
    return {
      summary: `${object} counts as not ready, since its node ${spec?.nodeName} ${node === undefined ? 'does not exist any more' : 'is not ready'}.`,
      details: [...(healthy?.message ? [healthy.message] : []), ...details],
      remedy:
        'Start the node again (longshore agent there), or let the pod be replaced on another one: kubectl delete pod, or drain the node.',
    };
  }
  const gates = (spec?.readinessGates ?? [])
    .map(({ conditionType }) => conditionType)
    .filter((gate) => status?.conditions?.find(({ type }) => type === gate)?.status !== 'True');
  if (gates.length > 0) {
    return {
      summary: `${object} runs, but is not ready: its readiness gates wait (${gates.join(', ')}).`,
      details,
      remedy: 'Whoever serves the gates must set these conditions in its status.',
    };
  }
  return { summary: `${object} runs and is about to be ready.`, details, remedy: undefined };
}

async function whyContainer(pod: Pod, status: ContainerStatus, object: string, tail: LogTail, told: readonly Event[]): Promise<Explanation | undefined> {
  const namespace = pod.metadata?.namespace ?? '';
  const name = pod.metadata?.name ?? '';
  const waiting = status.state?.waiting;
  const last = status.state?.terminated ?? status.lastState?.terminated;
  const where = `container ${status.name} of ${object}`;
  switch (waiting?.reason) {
    case 'ErrImagePull': case 'ImagePullBackOff': case 'InvalidImageName': case 'ErrImageNeverPull': {
      const failure = told.find(({ reason, message }) => reason === 'Failed' && message?.startsWith('Failed to pull'))?.message;
      const image =
        [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find((container) => container.name === status.name)?.image ??
        status.image;
      return {
        summary: `${where} waits for its image ${image}: ${waiting.reason}.`,
        details: [failure ?? waiting.message ?? ''].filter(Boolean),
        remedy: imageRemedy(waiting.reason, image),
      };
    }
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
    case 'RunContainerError':
      return {
        summary: `${where} can't be made: ${waiting.message ?? waiting.reason}.`,
        details: warnings(told),
        remedy: 'Correct what the message names; the pod goes on by itself.',
      };
    default:
  }
  const looping = waiting?.reason === 'CrashLoopBackOff';
  if (!looping && !(status.state?.terminated && status.state.terminated.exitCode !== 0)) return undefined;
  const lines = (await tail(namespace, name, status.name, false)) || (await tail(namespace, name, status.name, true));
  const how = last ? `exit code ${last.exitCode}${last.reason && last.reason !== 'Error' ? ` (${last.reason})` : ''}` : 'an unknown exit code';
  const see = `See all of it: kubectl -n ${namespace} logs ${name} -c ${status.name}${looping ? ' --previous' : ''}`;
  const log = [
    ...(last?.message ? [last.message] : []),
    ...(lines === undefined
      ? []
      : lines.trim() === ''
        ? ['It wrote nothing to its log.']
        : [
            'Its last lines:',
            ...lines
              .trimEnd()
              .split('\n')
              .map((line) => `  ${line}`),
          ]),
  ];
  if (!looping) return { summary: `${where} ended with ${how}.`, details: log, remedy: loopRemedy(last?.reason, last?.exitCode, see) };
  const restarts = `it was restarted ${status.restartCount === 1 ? 'once' : `${status.restartCount} times`} and waits before the next try`;
  // Its exit code tells nothing then: the agent ended it.
  const probe = told
    .find(({ reason, message }) => reason === 'Killing' && message?.startsWith(`Container ${status.name} failed `))
    ?.message?.match(/failed (liveness|startup) probe/)?.[1];
  if (probe !== undefined) {
    return {
      summary: `${where} is ended again and again, since it fails its ${probe} probe; ${restarts}.`,
      details: [...warnings(told.filter(({ reason }) => reason === 'Unhealthy')), ...log],
      remedy: `Correct what the probe asks for, or the ${probe}Probe itself (path, port, timeoutSeconds, failureThreshold). ${see}`,
    };
  }
  return {
    summary: `${where} keeps ending with ${how}; ${restarts}.`,
    details: log,
    remedy: loopRemedy(last?.reason, last?.exitCode, see),
  };
}

function imageRemedy(reason: string, image: string): string {
  switch (reason) {
    case 'ErrImageNeverPull':
      return `Build it (docker build -t ${image} .) or load it (docker load) on the pod's node, or set imagePullPolicy to IfNotPresent.`;
    case 'InvalidImageName':
      return 'Correct the name: lower case, as in registry.example:5000/team/app:tag.';
    default:
      return `Check the name and the network, build it (docker build -t ${image} .) or load it (docker load), or give credentials (imagePullSecrets).`;
  }
}

function loopRemedy(reason: string | undefined, exitCode: number | undefined, see: string): string {
  if (reason === 'OOMKilled') return 'It used more memory than its limit: raise resources.limits.memory.';
  if (exitCode === 0) return `It ends by itself, and its restartPolicy starts it again: let its program go on, or run it as a Job. ${see}`;
  if (exitCode === 127 || exitCode === 128) return `Check that its command is in the image. ${see}`;
  return see;
}

function warnings(told: readonly Event[]): string[] {
  return told
    .filter(({ type }) => type === 'Warning')
    .slice(0, 5)
    .map(({ reason, message, count }) => `${reason}: ${message}${(count ?? 1) > 1 ? ` (${count} times)` : ''}`);
}
