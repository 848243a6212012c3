import type { Endpoints, Service } from '../../../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../../../types/kubernetes/generated/discovery-v1.ts';
import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '../../../../types/kubernetes/generated/networking-v1.ts';
import { AGE, column, firstThree, joined, labelsText, NAME, selectorText, wide, type Column } from '../column.ts';

function loadBalancer(ingress: readonly { readonly ip?: string; readonly hostname?: string }[] | undefined): string[] {
  return [...new Set((ingress ?? []).map((one) => one.ip || one.hostname || '').filter((text) => text !== ''))].sort();
}

function externalIp({ spec, status }: Service): string {
  const own = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'ClusterIP': case 'NodePort': return joined(own);
    case 'LoadBalancer': {
      const all = [...loadBalancer(status?.loadBalancer?.ingress), ...own];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    case 'ExternalName': return spec.externalName ?? '';
    default: return '<unknown>';
  }
}

export const SERVICE: readonly Column[] = [
  NAME,
  column<Service>('Type', ({ spec }) => spec?.type ?? ''),
  column<Service>('Cluster-IP', ({ spec }) => spec?.clusterIPs?.[0] ?? '<none>'),
  column<Service>('External-IP', externalIp),
  column<Service>('Port(s)', ({ spec }) =>
    joined((spec?.ports ?? []).map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol ?? 'TCP'}`)),
  ),
  AGE,
  wide<Service>('Selector', ({ spec }) => labelsText(spec?.selector)),
];

const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

export const ENDPOINTS: readonly Column[] = [
  NAME,
  column<Endpoints>('Endpoints', ({ subsets }) => {
    if (!subsets?.length) return '<none>';
    const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
      ports.length === 0 ? addresses.map(({ ip }) => ip) : ports.flatMap(({ port }) => addresses.map(({ ip }) => hostPort(ip, port))),
    );
    return all.length === 0 ? '' : firstThree(all);
  }),
  AGE,
];

export const ENDPOINT_SLICE: readonly Column[] = [
  NAME,
  column<EndpointSlice>('AddressType', ({ addressType }) => addressType ?? ''),
  column<EndpointSlice>('Ports', ({ ports }) => firstThree((ports ?? []).map((port) => (port.port === undefined ? port.name ?? '*' : String(port.port))))),
  column<EndpointSlice>('Endpoints', ({ endpoints }) => firstThree((endpoints ?? []).flatMap(({ addresses }) => addresses))),
  AGE,
];

export const INGRESS: readonly Column[] = [
  NAME,
  column<Ingress>('Class', ({ spec }) => spec?.ingressClassName ?? '<none>'),
  column<Ingress>('Hosts', ({ spec }) => {
    const rules = spec?.rules ?? [];
    const hosts = rules.map((rule) => rule.host ?? '').filter((host) => host !== '');
    if (hosts.length === 0) return '*';
    return hosts.length > 3 ? `${hosts.slice(0, 3).join(',')} + ${rules.length - 3} more...` : hosts.join(',');
  }),
  column<Ingress>('Address', ({ status }) => loadBalancer(status?.loadBalancer?.ingress).join(',')),
  column<Ingress>('Ports', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
  AGE,
];

export const INGRESS_CLASS: readonly Column[] = [
  {
    ...NAME,
    cell: ({ metadata }) =>
      `${metadata?.name ?? ''}${metadata?.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true' ? ' (default)' : ''}`,
  },
  column<IngressClass>('Controller', ({ spec }) => spec?.controller ?? ''),
  column<IngressClass>('Parameters', ({ spec }) =>
    spec?.parameters === undefined
      ? '<none>'
      : `${spec.parameters.kind}${spec.parameters.apiGroup ? `.${spec.parameters.apiGroup}` : ''}/${spec.parameters.name}`,
  ),
  AGE,
];

export const NETWORK_POLICY: readonly Column[] = [NAME, column<NetworkPolicy>('Pod-Selector', ({ spec }) => selectorText(spec?.podSelector)), AGE];
export const SERVICE_CIDR: readonly Column[] = [NAME, column<ServiceCIDR>('CIDRs', ({ spec }) => (spec?.cidrs ?? []).join(',')), AGE];
export const IP_ADDRESS: readonly Column[] = [
  NAME,
  column<IPAddress>('ParentRef', ({ spec }) => {
    const ref = spec?.parentRef;
    return ref === undefined ? '<none>' : [`${ref.resource}${ref.group ? `.${ref.group}` : ''}`, ref.namespace, ref.name].filter((part) => part).join('/');
  }),
];
