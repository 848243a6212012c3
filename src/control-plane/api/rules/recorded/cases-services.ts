import type { RecordedCase } from './case.ts';
import { create, tryCreate, tryPut } from './steps.ts';

const services = '/api/v1/namespaces/{ns}/services';
type Spec = Record<string, unknown>;
const service = (spec: Spec, metadata: Spec = {}): unknown => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', ...metadata }, spec: { ports: [{ port: 80 }], ...spec } });
const many = (bodies: readonly unknown[]): ReturnType<typeof tryCreate>[] => bodies.map((body) => tryCreate(services, body));
const endpoints = '/api/v1/namespaces/{ns}/endpoints';
const slices = '/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices';
const ingresses = '/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses';
const policies = '/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies';
const slice = (rest: Spec): unknown => ({ metadata: { name: 'e' }, addressType: 'IPv4', endpoints: [], ...rest });
const ingress = (spec: Spec, metadata: Spec = {}): unknown => ({ metadata: { name: 'i', ...metadata }, spec });
const rule = (path: Spec): Spec => ({ rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } }, ...path }] } }] });
const policy = (spec: Spec): unknown => ({ metadata: { name: 'n' }, spec: { podSelector: {}, ...spec } });

export const SERVICE_CASES: readonly RecordedCase[] = [
  { name: 'services: defaults', steps: many([
    service({ clusterIP: 'None' }), service({ clusterIP: 'None', type: 'ClusterIP', ports: [] }), service({ clusterIP: 'None', sessionAffinity: 'ClientIP' }), service({ type: 'ExternalName', externalName: 'a.b', ports: [] }), service({ clusterIP: 'None', ports: [{ port: 53, protocol: 'UDP', targetPort: 'dns' }], externalIPs: ['1.2.3.4'] }),
  ]) },
  { name: 'services: refused', steps: many([
    service({ ports: [] }), service({ type: 'Odd' }), service({ type: 'ExternalName', externalName: '', clusterIP: '1.2.3.4' }), service({ type: 'ExternalName', externalName: 'A_b' }), service({ type: 'NodePort', clusterIP: 'None' }), service({ ports: [{ port: 80 }, { port: 81 }] }), service({ ports: [{ port: 80, name: 'a' }, { port: 80, name: 'a' }] }),
    service({ ports: [{ port: 0, targetPort: 70000, protocol: 'ICMP', name: 'A_', appProtocol: 'a b' }] }), service({ ports: [{ port: 80, nodePort: 30000 }] }), service({ ports: [{ port: 80, targetPort: 'BAD!' }] }), service({ selector: { 'a b': 'c d' } }), service({ sessionAffinity: 'Odd' }), service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
    service({ clusterIP: 'x' }), service({ clusterIP: '10.96.0.300', clusterIPs: ['10.96.0.5'] }), service({ clusterIPs: ['10.96.0.5'] }), service({ externalIPs: ['x', '127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', '01.2.3.4', '::ffff:1.2.3.4'] }), service({ loadBalancerSourceRanges: ['1.2.3.4/40', '10.0.0.0/8'] }), service({ type: 'LoadBalancer', loadBalancerSourceRanges: ['1.2.3.4/8', 'x'] }),
    service({ allocateLoadBalancerNodePorts: true, loadBalancerClass: 'a', healthCheckNodePort: 5, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Odd', trafficDistribution: 'Odd' }), service({ ipFamilies: ['IPv5', 'IPv4', 'IPv4'], ipFamilyPolicy: 'Odd' }), service({}, { name: 'A.b' }),
    service({}, { annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': 'x' } }), service({ clusterIP: 'None', clusterIPs: ['None', '1.2.3.4'] }),
  ]) },
  { name: 'services: updates', steps: [
    create(services, service({ clusterIP: '10.96.77.7', type: 'LoadBalancer', loadBalancerClass: 'example.com/a' })),
    tryPut(`${services}/s`, service({ clusterIP: '10.96.77.8', type: 'LoadBalancer', loadBalancerClass: 'example.com/a' })), tryPut(`${services}/s`, service({ clusterIP: '10.96.77.7', type: 'LoadBalancer', loadBalancerClass: 'example.com/b' })), tryPut(`${services}/s`, service({ clusterIP: 'None', type: 'ClusterIP' })),
    { method: 'PATCH', path: `${services}/s/status`, type: 'merge', body: { status: { loadBalancer: { ingress: [{ ip: 'x', hostname: '1.2.3.4', ipMode: 'Odd' }, { hostname: 'A_' }] } } }, dryRun: true },
  ] },
  { name: 'endpoints and slices', steps: [
    ...[{ subsets: [{ addresses: [{ ip: '1.2.3.4' }], ports: [{ port: 80 }] }] }, { subsets: [{}] }, { subsets: [{ addresses: [{ ip: 'x', hostname: 'A', nodeName: 'A' }, { ip: '127.0.0.1' }], notReadyAddresses: [{ ip: '' }], ports: [{ port: 0, protocol: 'ICMP' }, { port: 1, name: 'A', appProtocol: 'a b' }] }] }].map((rest) => tryCreate(endpoints, { metadata: { name: 'e' }, ...rest })),
    ...[slice({ ports: [{ port: 80 }, { port: 81, name: 'a' }], endpoints: [{ addresses: ['1.2.3.4'], conditions: {} }] }), slice({ addressType: 'Odd' }), slice({ addressType: '' }), slice({ ports: [{ name: 'A' }, { name: 'a' }, { name: 'a', protocol: 'ICMP', appProtocol: 'a b' }] }), slice({ endpoints: [{ addresses: [] }, { addresses: ['x', '127.0.0.1', '::1', '01.2.3.4'], hostname: 'A', nodeName: 'A', deprecatedTopology: { 'a b': 'c' }, hints: { forZones: [{ name: 'a b' }, { name: 'x' }, { name: 'x' }], forNodes: [{ name: 'A' }] } }] }),
      slice({ addressType: 'IPv6', endpoints: [{ addresses: ['1.2.3.4', '2001:0db8::1', 'fe80::1', '2001:db8::2'] }] }), slice({ addressType: 'FQDN', endpoints: [{ addresses: ['', 'a', 'a.b', 'A_.b'] }] })].map((body) => tryCreate(slices, body)),
  ] },
  { name: 'ingresses and policies', steps: [
    ...[ingress({}), ingress(rule({})), ingress(rule({ path: 'x' })), ingress(rule({ path: '/a//b/../c/..' })), ingress(rule({ pathType: undefined })), ingress(rule({ pathType: 'Odd' })), ingress(rule({ pathType: 'ImplementationSpecific', path: 'x' })), ingress(rule({ backend: {} })), ingress(rule({ backend: { service: { name: '', port: {} } } })), ingress(rule({ backend: { service: { name: 'A', port: { name: 'A_', number: 0 } } } })),
      ingress(rule({ backend: { service: { name: 'a', port: { name: 'a', number: 1 } }, resource: { kind: 'a', name: 'b' } } })), ingress(rule({ backend: { resource: { apiGroup: 'A_', kind: '', name: 'a/b' } } })), ingress({ rules: [{ host: '1.2.3.4' }, { host: '*.a' }, { host: 'a*b' }, { host: 'A', http: {} }], tls: [{ hosts: ['A', '*.b', 'c*'], secretName: 'A_' }], ingressClassName: 'A' }), ingress({ ...rule({}), ingressClassName: 'a' }, { annotations: { 'kubernetes.io/ingress.class': 'b' } }), ingress({ defaultBackend: { service: { name: 's', port: { number: 70000 } } } })].map((body) => tryCreate(ingresses, body)),
    ...[{}, { spec: { controller: 'x' } }, { spec: { controller: 'A/b' } }, { spec: { controller: 'a.b/c', parameters: { kind: '', name: '', apiGroup: 'A_' } } }, { spec: { controller: 'a.b/c', parameters: { kind: 'a', name: 'b', scope: 'Namespace' } } }, { spec: { controller: 'a.b/c', parameters: { kind: 'a', name: 'b', scope: 'Odd' } } }, { spec: { controller: 'a.b/c', parameters: { kind: 'a', name: 'b', namespace: 'x' } } }].map((rest) => tryCreate('/apis/networking.k8s.io/v1/ingressclasses', { metadata: { name: 'c' }, ...rest })),
    ...[policy({}), policy({ egress: [{}] }), policy({ policyTypes: ['Odd', 'Ingress', 'Egress'] }), policy({ policyTypes: ['Odd'] }), policy({ ingress: [{ ports: [{ protocol: 'ICMP', port: 0 }, { port: 'BAD!', endPort: 5 }, { endPort: 5 }, { port: 10, endPort: 5 }, { port: 10, endPort: 70000 }], from: [{}, { ipBlock: { cidr: '' } }, { ipBlock: { cidr: 'x' } }, { ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', '10.0.0.0/8', 'y', '10.1.0.0/16'] } }, { ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }, { podSelector: { matchLabels: { a: 'b c' } }, namespaceSelector: { matchExpressions: [{ key: '', operator: 'In' }] } }] }] })].map((body) => tryCreate(policies, body)),
  ] },
];
