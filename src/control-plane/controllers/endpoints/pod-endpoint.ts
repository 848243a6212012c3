import { isIPv6 } from 'node:net';
import type { Pod, Service, ServicePort } from '../../../types/kubernetes/generated/core-v1.ts';
import { isTerminal } from '../shared/pods.ts';

export type AddressType = 'IPv4' | 'IPv6';

/** Whether a pod can be an endpoint at all: it has an address, and may still answer. */
export function hasEndpoint(pod: Pod): boolean {
  return !isTerminal(pod) && Boolean(pod.status?.podIP || pod.status?.podIPs?.length);
}

export function addressTypeOf(ip: string): AddressType {
  return isIPv6(ip) ? 'IPv6' : 'IPv4';
}

/** The pod's addresses of one family. */
export function addressesOf(pod: Pod, type: AddressType): string[] {
  const ips = pod.status?.podIPs?.map(({ ip }) => ip) ?? [];
  const all = ips.length > 0 ? ips : [pod.status?.podIP ?? ''];
  return all.filter((ip) => ip !== '' && addressTypeOf(ip) === type);
}

/** The families in which a service has endpoints. */
export function addressTypesOf(service: Service): AddressType[] {
  const { ipFamilies, clusterIP } = service.spec!;
  if (ipFamilies?.length) return ipFamilies.map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
  return clusterIP && clusterIP !== 'None' ? [addressTypeOf(clusterIP)] : ['IPv4', 'IPv6'];
}

/** A container's name for a port is looked up in the pod; undefined when the pod has none of that name. */
export function targetPort(pod: Pod, { targetPort: target, port, protocol = 'TCP' }: ServicePort): number | undefined {
  if (target === undefined || target === 0) return port;
  if (typeof target === 'number') return target;
  const sidecars = pod.spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? [];
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    for (const candidate of container.ports ?? []) {
      if (candidate.name === target && (candidate.protocol ?? 'TCP') === protocol) {
        return candidate.containerPort;
      }
    }
  }
  return undefined;
}

/** The name of its own that DNS gives to the pod below a headless service. */
export function hostnameOf(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  return hostname && subdomain === service.metadata!.name && pod.metadata!.namespace === service.metadata!.namespace ? hostname : undefined;
}

export function isHeadless(service: Service): boolean {
  const { clusterIP } = service.spec!;
  return clusterIP === undefined || clusterIP === '' || clusterIP === 'None';
}
