import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { daemonSets, deployments, endpointSlices, pods, replicaSets, services, statefulSets } from '../client/resources.ts';
import type { ResourceRef, Transport } from '../client/transport.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { Deployment } from '../types/kubernetes/generated/apps-v1.ts';
import type { Pod, Service } from '../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../types/kubernetes/generated/discovery-v1.ts';

export interface Target {
  readonly kind: 'pod' | 'service' | 'workload';
  readonly resource: ResourceRef;
  readonly namespace: string;
  readonly name: string;
}

const KINDS: Readonly<Record<string, readonly [Target['kind'], ResourceRef]>> = {
  pod: ['pod', pods], pods: ['pod', pods], po: ['pod', pods],
  service: ['service', services], services: ['service', services], svc: ['service', services],
  deployment: ['workload', deployments], deployments: ['workload', deployments], deploy: ['workload', deployments],
  statefulset: ['workload', statefulSets], statefulsets: ['workload', statefulSets], sts: ['workload', statefulSets],
  daemonset: ['workload', daemonSets], daemonsets: ['workload', daemonSets], ds: ['workload', daemonSets],
  replicaset: ['workload', replicaSets], replicasets: ['workload', replicaSets], rs: ['workload', replicaSets],
};

/** `svc/web`, `pod/web-1`; a name alone is a pod's. @throws LongshoreError `invalid` for a kind that has no pods */
export function parseTarget(text: string, namespace: string): Target {
  const [kind, name] = text.includes('/') ? (text.split('/', 2) as [string, string]) : ['pod', text];
  const found = KINDS[kind.toLowerCase()];
  if (!found || name === '') {
    throw new LongshoreError('invalid', `"${text}" is nothing that a port can lead to`, {
      remedy: 'Name a pod, service, deployment, statefulset, daemonset or replicaset: svc/web',
    });
  }
  return { kind: found[0], resource: found[1], namespace, name };
}

export interface PortPair {
  /** 0 for any that is free. */
  readonly local: number;
  readonly remote: string;
}

/** `8080:80`, `80` (the same here and there), `:http` (any free one here). @throws LongshoreError `invalid` */
export function parsePorts(text: string): PortPair {
  const [, here, colon, there] = /^(\d*)(:?)([a-z0-9-]*)$/.exec(text) ?? [];
  const local = here === '' ? 0 : Number(here);
  const remote = colon === '' ? here : there;
  if (
    remote === undefined ||
    remote === '' ||
    local > 65535 ||
    (/^\d+$/.test(remote) && !(Number(remote) >= 1 && Number(remote) <= 65535))
  ) {
    throw new LongshoreError('invalid', `"${text}" is no pair of ports`, {
      remedy: 'Write LOCAL:REMOTE, as in 8080:80; or one port for both.',
    });
  }
  return { local, remote };
}

export interface Forwarding {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens on loopback and leads each connection to a ready pod of the target, which is looked up anew each time: a rollout does not end it.
 * Connects to the pod's address, so what listens on loopback inside of the pod alone is not reached (`kubectl port-forward` does that).
 * @throws LongshoreError `not-found` for what is not there, `unavailable` when the local port is taken
 */
export async function forward(transport: Transport, target: Target, { local, remote }: PortPair, tell: (problem: string) => void): Promise<Forwarding> {
  await addressOf(transport, target, remote).catch((error: unknown) => {
    // That no pod is ready may pass; that there is no such thing will not.
    if (!(error instanceof LongshoreError) || error.code !== 'unavailable') throw error;
    tell(error.message);
  });
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    open.add(client);
    client.on('close', () => open.delete(client)).on('error', () => client.destroy());
    addressOf(transport, target, remote).then(
      ({ host, port }) => {
        const upstream = connect({ host, port, noDelay: true });
        upstream.on('error', (error) => {
          tell(`${host}:${port}: ${error.message}`);
          client.destroy();
        }).on('close', () => client.destroy());
        client.on('close', () => upstream.destroy());
        client.pipe(upstream).pipe(client);
      },
      (error: unknown) => {
        tell(error instanceof Error ? error.message : String(error));
        client.destroy();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new LongshoreError('unavailable', `can't listen at 127.0.0.1:${local}: ${error.message}`, {
          object: `port ${local}`,
          remedy: 'Choose another local port.',
          cause: error,
        }),
      ),
    );
    server.listen(local, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
}

async function addressOf(transport: Transport, target: Target, port: string): Promise<Address> {
  const { kind, name, namespace, resource } = target;
  if (kind === 'service') return serviceAddress(transport, await transport.get<Service>(services, namespace, name), port);
  if (kind === 'pod') return podAddress(await transport.get<Pod>(pods, namespace, name), port);
  const { spec } = await transport.get<Deployment>(resource, namespace, name);
  const found = await transport.list<Pod>(pods, namespace, { labelSelector: selectorOf(spec?.selector) });
  const ready = found.items.filter((pod) => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'));
  const chosen = ready[Math.floor(Math.random() * ready.length)];
  if (!chosen) throw new LongshoreError('unavailable', `${resource.resource}/${name} has no ready pod`);
  return podAddress(chosen, port);
}

function selectorOf(selector: NonNullable<Deployment['spec']>['selector'] | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const sets = (selector?.matchExpressions ?? []).map(({ key, operator, values }) =>
    operator === 'Exists'
      ? key
      : operator === 'DoesNotExist'
        ? `!${key}`
        : `${key} ${operator === 'In' ? 'in' : 'notin'} (${(values ?? []).join(',')})`,
  );
  return [...equal, ...sets].join(',');
}

function podAddress(pod: Pod, port: string): Address {
  const host = pod.status?.podIP;
  const object = `pod/${pod.metadata?.name}`;
  if (!host) throw new LongshoreError('unavailable', `${object} has no address yet`);
  if (/^\d+$/.test(port)) return { host, port: Number(port) };
  const named = pod.spec?.containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === port);
  if (!named) throw new LongshoreError('not-found', `${object} has no port named ${port}`);
  return { host, port: named.containerPort };
}

async function serviceAddress(transport: Transport, service: Service, port: string): Promise<Address> {
  const object = `service/${service.metadata?.name}`;
  const wanted = service.spec?.ports?.find((each) => String(each.port) === port || each.name === port);
  if (!wanted) {
    throw new LongshoreError('not-found', `${object} has no port ${port}`, {
      remedy: `It has: ${(service.spec?.ports ?? []).map((each) => `${each.port}${each.name ? ` (${each.name})` : ''}`).join(', ') || 'none'}.`,
    });
  }
  const slices = await transport.list<EndpointSlice>(endpointSlices, service.metadata?.namespace, {
    labelSelector: `kubernetes.io/service-name=${service.metadata?.name}`,
  });
  const all = slices.items.flatMap(({ endpoints, ports }) => {
    const number = ports?.find(({ name }) => (name ?? '') === (wanted.name ?? ''))?.port;
    return number === undefined || number === null
      ? []
      : (endpoints ?? [])
          .filter(({ conditions }) => conditions?.ready !== false)
          .flatMap(({ addresses }) => (addresses[0] === undefined ? [] : [{ host: addresses[0], port: number }]));
  });
  const chosen = all[Math.floor(Math.random() * all.length)];
  if (!chosen) throw new LongshoreError('unavailable', `${object} has no ready endpoint`);
  return chosen;
}
