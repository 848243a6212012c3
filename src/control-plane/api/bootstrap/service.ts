import { isIPv4 } from 'node:net';
import { LongshoreError } from '../../../lib/errors.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';

/** Where the API server is, from inside and outside of the cluster. */
export interface ServiceAddress {
  /** As in `10.96.0.0/16`. */
  readonly serviceCidr: string;
  /** An address that pods can reach; undefined publishes no endpoints. Never loopback. */
  readonly advertiseAddress: string | undefined;
  readonly port: number;
}

/** The first usable address of an IPv4 range: that of the `kubernetes` Service. @throws LongshoreError `invalid` */
export function firstAddress(cidr: string): string {
  const [base = '', bits = ''] = cidr.split('/');
  const length = Number(bits);
  if (!isIPv4(base) || !/^\d{1,2}$/.test(bits) || length > 30) {
    throw new LongshoreError('invalid', `${JSON.stringify(cidr)} is not a range of IPv4 addresses such as 10.96.0.0/16`);
  }
  const number = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const network = number - (number % 2 ** (32 - length)) + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join('.');
}

/** The Service `kubernetes`, its Endpoints and its EndpointSlice. */
export function kubernetesService(at: ServiceAddress): readonly { group: string; resource: string; namespace: string; object: KubeObject }[] {
  const clusterIP = firstAddress(at.serviceCidr);
  const meta = { name: 'kubernetes', namespace: 'default' };
  const service = {
    kind: 'Service', apiVersion: 'v1', metadata: { ...meta, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: at.port }],
    },
  };
  const out = [{ group: '', resource: 'services', namespace: 'default', object: service as KubeObject }];
  if (at.advertiseAddress === undefined) return out;
  const endpoints = {
    kind: 'Endpoints', apiVersion: 'v1', metadata: { ...meta, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: at.advertiseAddress }], ports: [{ name: 'https', port: at.port, protocol: 'TCP' }] }],
  };
  const slice = {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    metadata: { ...meta, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [at.advertiseAddress], conditions: { ready: true } }],
    ports: [{ name: 'https', port: at.port, protocol: 'TCP' }],
  };
  return [
    ...out,
    { group: '', resource: 'endpoints', namespace: 'default', object: endpoints },
    { group: 'discovery.k8s.io', resource: 'endpointslices', namespace: 'default', object: slice },
  ];
}
