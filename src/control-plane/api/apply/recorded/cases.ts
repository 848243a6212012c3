import type { RecordedCase, Step } from '../../rules/recorded/case.ts';

const deployments = '/apis/apps/v1/namespaces/{ns}/deployments';
const configMaps = '/api/v1/namespaces/{ns}/configmaps';
const services = '/api/v1/namespaces/{ns}/services';
const pods = '/api/v1/namespaces/{ns}/pods';

const apply = (path: string, manager: string, body: unknown, force = false): Step => ({ method: 'PATCH', path, body, type: 'apply', manager, ...(force && { force }) });
const create = (path: string, manager: string, body: unknown): Step => ({ method: 'POST', path, body, manager });
const put = (path: string, manager: string, body: unknown): Step => ({ method: 'PUT', path, body, manager });
const patch = (path: string, manager: string, body: unknown): Step => ({ method: 'PATCH', path, body, type: 'merge', manager });

const deployment = (spec: object, metadata: object = {}): object => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', ...metadata }, spec });
const template = (containers: object[], more: object = {}): object => ({ metadata: { labels: { app: 'web' } }, spec: { containers, ...more } });
const selector = { matchLabels: { app: 'web' } };
const base = deployment({ replicas: 2, selector, template: template([{ name: 'web', image: 'nginx:1', ports: [{ containerPort: 80 }], env: [{ name: 'A', value: '1' }, { name: 'B', value: '2' }], resources: {} }]) }, { labels: { app: 'web', tier: 'x' } });
const configMap = (data: object, metadata: object = {}): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm', ...metadata }, data });
const pod = {
  apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', labels: { a: 'b' }, finalizers: ['example.com/x'] },
  spec: {
    containers: [{
      name: 'c', image: 'i', ports: [{ containerPort: 53, protocol: 'UDP' }, { containerPort: 53 }], volumeMounts: [{ name: 'v', mountPath: '/v' }],
      livenessProbe: { httpGet: { port: 80 } }, resources: { limits: { cpu: '0.5', memory: '1Gi' } }, envFrom: [{ configMapRef: { name: 'x' } }],
    }],
    volumes: [{ name: 'v', configMap: { name: 'x', items: [{ key: 'a', path: 'b' }] } }], nodeSelector: { k: 'v' }, tolerations: [{ key: 'a', operator: 'Exists' }],
  },
};

export const CASES: readonly RecordedCase[] = [
  { name: 'apply creates, applies again, changes', steps: [
    apply(`${deployments}/web`, 'a', base), apply(`${deployments}/web`, 'a', base),
    apply(`${deployments}/web`, 'a', deployment({ replicas: 3, selector, template: template([{ name: 'web', image: 'nginx:2', ports: [{ containerPort: 80 }], env: [{ name: 'B', value: '2' }] }]) }, { labels: { app: 'web' } })),
  ] },
  { name: 'conflict, force, shared ownership, removal by one of two', steps: [
    apply(`${deployments}/web`, 'a', base),
    apply(`${deployments}/web`, 'b', deployment({ replicas: 5 })),
    apply(`${deployments}/web`, 'b', deployment({ replicas: 5, template: { spec: { containers: [{ name: 'web', image: 'nginx:9', env: [{ name: 'A', value: 'z' }] }] } } }, { labels: { tier: 'y', own: 'b' } })),
    apply(`${deployments}/web`, 'b', deployment({ replicas: 5 }, { labels: { tier: 'x', own: 'b' } }), true),
    apply(`${deployments}/web`, 'a', deployment({ selector, template: template([{ name: 'web', image: 'nginx:1' }]) }, { labels: { app: 'web' } })),
    apply(`${deployments}/web`, 'b', deployment({})),
  ] },
  { name: 'update after apply takes ownership', steps: [
    apply(`${deployments}/web`, 'a', base), patch(`${deployments}/web`, 'kubectl-scale', { spec: { replicas: 7 } }), apply(`${deployments}/web`, 'a', base),
    patch(`${deployments}/web`, 'label', { metadata: { labels: { tier: null, more: 'z' } } }), patch(`${deployments}/web`, 'label', { metadata: { labels: { more: 'z' } } }),
    apply(`${deployments}/web`, 'a', base, true),
  ] },
  { name: 'containers come and go, and keep their order', steps: [
    apply(`${deployments}/web`, 'a', deployment({ selector, template: template([{ name: 'one', image: 'i' }, { name: 'two', image: 'i' }]) })),
    apply(`${deployments}/web`, 'b', deployment({ template: { spec: { containers: [{ name: 'side', image: 's' }] } } })),
    apply(`${deployments}/web`, 'a', deployment({ selector, template: template([{ name: 'zero', image: 'i' }, { name: 'two', image: 'i' }]) })),
    apply(`${deployments}/web`, 'a', deployment({ selector, template: template([{ name: 'two', image: 'i', command: ['x'] }, { name: 'zero', image: 'i' }]) })),
  ] },
  { name: 'config map data, create and put', steps: [
    create(configMaps, 'kubectl-create', configMap({ a: '1', b: '2' }, { annotations: { x: 'y' } })), put(`${configMaps}/cm`, 'curl', configMap({ b: '3', c: '4' })),
    apply(`${configMaps}/cm`, 'a', configMap({ b: '3' })), apply(`${configMaps}/cm`, 'a', configMap({ b: '4' })), put(`${configMaps}/cm`, 'curl', configMap({})),
  ] },
  { name: 'kubectl moves from client-side to server-side', steps: [
    create(configMaps, 'kubectl-client-side-apply', configMap({ a: '1', b: '2' }, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(configMap({ a: '1', b: '2' })) } })),
    apply(`${configMaps}/cm`, 'kubectl', configMap({ a: '9', b: '2' })), apply(`${configMaps}/cm`, 'kubectl', configMap({ a: '9' })),
    patch(`${configMaps}/cm`, 'other', { data: { a: '10' } }), apply(`${configMaps}/cm`, 'kubectl', configMap({ a: '11' })),
  ] },
  { name: 'lists by several keys', steps: [
    apply(`${services}/s`, 'a', { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { selector: { a: 'b' }, ports: [{ name: 'dns', port: 53, protocol: 'UDP' }, { name: 'dns-tcp', port: 53 }] } }),
    apply(`${services}/s`, 'b', { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ name: 'web', port: 80 }] } }),
    apply(`${services}/s`, 'a', { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { selector: { a: 'b' }, ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] } }),
  ] },
  { name: 'what is sent twice is refused', steps: [
    apply(`${services}/s`, 'a', { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ name: 'a', port: 53 }, { name: 'b', port: 53 }] } }),
    apply(`${deployments}/web`, 'a', deployment({ selector, template: template([{ name: 'one', image: 'i' }, { name: 'one', image: 'j' }]) })),
    apply(`${configMaps}/cm`, 'a', configMap({}, { managedFields: [{ manager: 'x' }] })),
  ] },
  { name: 'pod: create, status, label, finalizers', steps: [
    create(pods, 'run', pod), patch(`${pods}/p/status`, 'kubelet', { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] } }),
    patch(`${pods}/p`, 'label', { metadata: { labels: { a: 'c', d: 'e' } } }), patch(`${pods}/p`, 'fin', { metadata: { finalizers: ['example.com/y'] } }),
    patch(`${pods}/p/status`, 'other', { status: { phase: 'Failed', conditions: null } }), patch(`${pods}/p`, 'image', { spec: { activeDeadlineSeconds: 5 } }),
    apply(`${pods}/p/status`, 'st', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, status: { conditions: [{ type: 'Ready', status: 'False' }, { type: 'Mine', status: 'True' }] } }),
    patch(`${pods}/p`, 'end', { metadata: { finalizers: null } }),
  ] },
  { name: 'tracking is dropped and begins anew', steps: [
    create(configMaps, 'one', configMap({ a: '1', b: '2' })), patch(`${configMaps}/cm`, 'two', { metadata: { managedFields: [{}] } }), patch(`${configMaps}/cm`, 'three', { data: { a: '2' } }),
    apply(`${configMaps}/cm`, 'a', configMap({ a: '3' })), apply(`${configMaps}/cm`, 'a', configMap({ a: '3' }), true), apply(`${configMaps}/cm`, 'a', configMap({})),
  ] },
  { name: 'explicit empties and nulls', steps: [
    apply(`${deployments}/web`, 'a', { ...deployment({ replicas: 0, selector, strategy: {}, paused: false, template: { metadata: { creationTimestamp: null, labels: { app: 'web' } }, spec: { containers: [{ name: 'one', image: 'i', args: [], env: [], resources: {} }], hostNetwork: false } } }, { annotations: {} }), status: {} }),
    apply(`${deployments}/web`, 'b', deployment({ replicas: 1, paused: true })), apply(`${deployments}/web`, 'b', deployment({ template: { spec: { hostNetwork: true } } })),
  ] },
  { name: 'many updaters are put together', steps: [
    create(configMaps, 'm00', configMap({ k: '0' })), ...Array.from({ length: 12 }, (_, n) => patch(`${configMaps}/cm`, `m${String(n + 1).padStart(2, '0')}`, { data: { [`k${n}`]: 'x' } })),
  ] },
];
