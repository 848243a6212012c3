import type { RecordedCase } from './case.ts';
import { create, tryCreate, tryPut } from './steps.ts';

type Spec = Record<string, unknown>;
const core = '/api/v1/namespaces/{ns}';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const meta = (metadata: Spec): unknown => ({ metadata: { name: 'm', ...metadata } });
const many = (path: string, bodies: readonly Spec[], name = 'm'): ReturnType<typeof tryCreate>[] => bodies.map((body) => tryCreate(path, { metadata: { name }, ...body }));
const ref = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' };
const claim = (spec: Spec = {}): Spec => ({ spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec } });
const volume = (spec: Spec = {}): Spec => ({ spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' }, ...spec } });
const scaler = (spec: Spec = {}): Spec => ({ spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' }, ...spec } });
const metric = (m: Spec): Spec => scaler({ metrics: [m] });
const event = (rest: Spec = {}): Spec => ({ involvedObject: { kind: 'Pod', name: 'p', namespace: 'ns' }, ...rest });

export const OTHER_CASES: readonly RecordedCase[] = [
  { name: 'metadata', steps: [
    ...[meta({ name: '' }), meta({ name: 'A_' }), meta({ name: 'a'.repeat(254) }), meta({ labels: { 'a/b/c': 'x', '/b': '', 'A/b': '_x', '-': 'x'.repeat(64), '': 'y' } }), meta({ annotations: { 'a/b/c': 'x', 'Foo.Bar/x': '', big: 'x'.repeat(270_000) } }), meta({ finalizers: ['foo', 'a b', 'orphan', 'foregroundDeletion', 'kubernetes', 'a.b/c'] }),
      meta({ ownerReferences: [{ apiVersion: 'v1', kind: '', name: '', uid: '' }, { apiVersion: 'v1', kind: 'Event', name: 'a', uid: 'b', controller: true }, { apiVersion: 'a/b/c', kind: 'X', name: 'a', uid: 'b', controller: true }] })].map((body) => tryCreate(`${core}/configmaps`, body)),
    create(`${core}/configmaps`, meta({ labels: { a: 'b' } })), tryPut(`${core}/configmaps/m`, meta({ labels: { a: 'b c' }, finalizers: ['x'] })), tryPut(`${core}/configmaps/m`, meta({ generation: 4 })),
  ] },
  { name: 'config maps and secrets', steps: [
    ...many(`${core}/configmaps`, [{ data: { 'a b': 'x', '..': 'y', '.': 'z', '..c': '', 'ok.1_-': '' } }, { data: { a: 'x' }, binaryData: { a: 'eA==', 'b/c': '' } }, { data: { a: 'x'.repeat(1_048_577) } }]),
    create(`${core}/configmaps`, { ...meta({}) as object, data: { a: 'x' }, immutable: true }), tryPut(`${core}/configmaps/m`, { ...meta({}) as object, data: { a: 'y' }, binaryData: { b: '' } }), tryPut(`${core}/configmaps/m`, { ...meta({ labels: { x: 'y' } }) as object, data: { a: 'x' }, immutable: true }),
    ...many(`${core}/secrets`, [{}, { data: { 'a b': '' } }, { type: 'kubernetes.io/service-account-token' }, { type: 'kubernetes.io/dockercfg' }, { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'W10=' } }, { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'e30=' } }, { type: 'kubernetes.io/basic-auth' }, { type: 'kubernetes.io/ssh-auth' }, { type: 'kubernetes.io/tls' }, { type: 'odd/type' }, { stringData: { a: 'b' } }]),
    create(`${core}/secrets`, { ...meta({}) as object, data: { a: 'eA==' } }), tryPut(`${core}/secrets/m`, { ...meta({}) as object, type: 'kubernetes.io/tls' }),
  ] },
  { name: 'namespaces and nodes', steps: [
    ...many('/api/v1/namespaces', [{}, { spec: { finalizers: ['foo', 'a b', 'a.b/c'] } }], 'case-other-ns'), ...many('/api/v1/namespaces', [{}], 'a.b'),
    ...many('/api/v1/nodes', [{}, { spec: { taints: [{ key: 'a b', value: 'c d', effect: '' }, { key: 'a', effect: 'Odd' }, { key: 'a', effect: 'NoSchedule' }, { key: 'a', effect: 'NoSchedule', value: 'x' }], podCIDRs: ['x', '10.0.0.0/24'] } }, { spec: { podCIDRs: ['10.0.0.0/24', '10.0.1.0/24'] } }, { status: { capacity: { cpu: '-1', pods: '1.5', memory: '1Gi' } } }]),
  ] },
  { name: 'quotas and limits', steps: [
    ...many(`${core}/resourcequotas`, [{ spec: { hard: { pods: '5', 'requests.cpu': '1', 'count/deployments.apps': '3' } } }, { spec: { hard: { foo: '1', 'a b': '1', pods: '-1', services: '1.5' } } }, { spec: { hard: { pods: '1', services: '1' }, scopes: ['Odd', 'BestEffort', 'NotBestEffort'] } }, { spec: { scopeSelector: { matchExpressions: [{ scopeName: 'Odd', operator: 'Odd' }, { scopeName: 'BestEffort', operator: 'In' }, { scopeName: 'PriorityClass', operator: 'Exists', values: ['x'] }] } } }]),
    ...many(`${core}/limitranges`, [{ spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { cpu: '100m' } }] } }, { spec: { limits: [{ type: 'Odd' }, { type: 'Pod', default: { cpu: '1' } }, { type: 'Pod' }, { type: 'PersistentVolumeClaim' }] } }, { spec: { limits: [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' }, default: { cpu: '3' }, defaultRequest: { cpu: '4' }, maxLimitRequestRatio: { cpu: '500m' } }, { type: 'a.b/c', max: { 'd e': '1' } }] } }, { spec: { limits: [{ type: 'Container', max: { foo: '1' } }] } }, { spec: { limits: [{ type: 'Container', max: { cpu: '4' }, min: { cpu: '1' }, maxLimitRequestRatio: { cpu: '5' } }] } }]),
  ] },
  { name: 'volumes and claims', steps: [
    ...many(`${core}/persistentvolumeclaims`, [claim(), claim({ accessModes: ['ReadWriteOncePod', 'ReadWriteOnce', 'Odd'] }), claim({ accessModes: [], resources: {} }), claim({ resources: { requests: { storage: '0' } }, storageClassName: 'A_', volumeMode: 'Odd' }), claim({ selector: { matchLabels: { a: 'b c' } }, dataSource: { kind: 'X', name: '' } }), claim({ dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'x', namespace: 'y' } }), claim({ volumeAttributesClassName: 'A' })]),
    create(`${core}/persistentvolumeclaims`, { metadata: { name: 'm' }, ...claim() }), tryPut(`${core}/persistentvolumeclaims/m`, { metadata: { name: 'm' }, ...claim({ accessModes: ['ReadOnlyMany'] }) }), tryPut(`${core}/persistentvolumeclaims/m`, { metadata: { name: 'm' }, ...claim({ volumeName: 'v' }) }), tryPut(`${core}/persistentvolumeclaims/m`, { metadata: { name: 'm' }, ...claim({ resources: { requests: { storage: '2Gi' } } }) }),
    ...many('/api/v1/persistentvolumes', [volume(), { spec: {} }, volume({ capacity: { storage: '0', cpu: '1' }, accessModes: ['Odd'], persistentVolumeReclaimPolicy: 'Odd', volumeMode: 'Odd', storageClassName: 'A_' }), volume({ nfs: { server: '', path: 'x' } }), volume({ hostPath: undefined, local: { path: '' } }), volume({ hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }), volume({ hostPath: undefined, csi: { driver: 'A_', volumeHandle: '' } })], 'case-pv'),
    ...many('/apis/storage.k8s.io/v1/storageclasses', [{ provisioner: 'a.b/c' }, { provisioner: '' }, { provisioner: 'a b', parameters: { '': 'x' }, reclaimPolicy: 'Odd', volumeBindingMode: 'Odd' }], 'case-sc'),
  ] },
  { name: 'rbac', steps: [
    ...many(`${rbac}/namespaces/{ns}/roles`, [{}, { rules: [{}, { verbs: ['get'], nonResourceURLs: ['/x'] }, { verbs: ['get'], nonResourceURLs: ['/x'], resources: ['x'] }, { verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }]),
    ...many(`${rbac}/clusterroles`, [{}, { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }], aggregationRule: {} }, { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b c' } }] } }], 'case-cr'),
    ...many(`${rbac}/namespaces/{ns}/rolebindings`, [{ roleRef: ref, subjects: [{ kind: 'User', name: 'u' }, { kind: 'ServiceAccount', name: 's' }] }, {}, { roleRef: { kind: 'Odd', name: 'a/b', apiGroup: 'x' }, subjects: [{ kind: 'Odd', name: '' }, { kind: 'User', name: '', apiGroup: 'x' }, { kind: 'ServiceAccount', name: 'A_', apiGroup: 'x' }, { kind: 'Group', name: 'g' }] }]),
    create(`${rbac}/namespaces/{ns}/rolebindings`, { metadata: { name: 'b' }, roleRef: ref }), tryPut(`${rbac}/namespaces/{ns}/rolebindings/b`, { metadata: { name: 'b' }, roleRef: { ...ref, name: 'other' } }),
    ...many(`${rbac}/clusterrolebindings`, [{ roleRef: ref, subjects: [{ kind: 'ServiceAccount', name: 's' }] }], 'case-crb'),
  ] },
  { name: 'leases, priorities, budgets, runtimes', steps: [
    ...many('/apis/coordination.k8s.io/v1/namespaces/{ns}/leases', [{ spec: { leaseDurationSeconds: 15, renewTime: '2024-01-01T00:00:00.000000Z' } }, { spec: { leaseDurationSeconds: 0, leaseTransitions: -1, strategy: 'Odd', preferredHolder: 'x' } }, { spec: { preferredHolder: 'x' } }]),
    ...many('/apis/scheduling.k8s.io/v1/priorityclasses', [{ value: 5 }, { value: 2_000_000_000, preemptionPolicy: 'Odd' }], 'case-pc'), ...many('/apis/scheduling.k8s.io/v1/priorityclasses', [{ value: 5 }], 'system-x'), ...many('/apis/scheduling.k8s.io/v1/priorityclasses', [{ value: 5 }], 'system-node-critical'),
    ...many('/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets', [{ spec: { minAvailable: 1 } }, { spec: { minAvailable: 'x', maxUnavailable: '120%', unhealthyPodEvictionPolicy: 'Odd', selector: { matchLabels: { a: 'b c' } } } }, { spec: { maxUnavailable: -1 } }]),
    ...many('/apis/node.k8s.io/v1/runtimeclasses', [{ handler: 'runc' }, { handler: '' }, { handler: 'A_' }], 'case-rc'), ...many(`${core}/serviceaccounts`, [{}, { secrets: [{ name: 'x' }] }]),
    ...many(`${core}/podtemplates`, [{ template: { spec: { containers: [{ name: 'a', image: 'b' }] } } }, { template: { spec: {} } }]),
  ] },
  { name: 'events', steps: [
    ...many(`${core}/events`, [event({ involvedObject: { kind: 'Pod', name: 'p' } }), { involvedObject: { namespace: 'other' } }, event({ eventTime: '2024-01-01T00:00:00.000000Z', involvedObject: { namespace: 'other' }, reportingComponent: 'a b', reason: 'x'.repeat(129), message: 'y'.repeat(1025) })]),
    ...many('/apis/events.k8s.io/v1/namespaces/{ns}/events', [{}, { eventTime: '2024-01-01T00:00:00.000000Z', type: 'Odd', reportingController: 'c', reportingInstance: 'i', action: 'a', reason: 'r', regarding: { namespace: 'kube-x' }, deprecatedCount: 3, series: { count: 1 } }]),
  ] },
  { name: 'autoscalers', steps: many('/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers', [
    scaler(), scaler({ minReplicas: 0 }), scaler({ minReplicas: 5 }), { spec: {} }, scaler({ maxReplicas: -1 }), scaler({ scaleTargetRef: { kind: 'a/b', name: '' } }), scaler({ behavior: { scaleUp: { stabilizationWindowSeconds: -1, selectPolicy: 'Odd', policies: [{ type: 'Odd', value: 0, periodSeconds: 0 }] }, scaleDown: { stabilizationWindowSeconds: 4000, policies: [{ type: 'Pods', value: 1, periodSeconds: 2000 }] } } }), scaler({ behavior: { scaleUp: {} } }),
    metric({}), metric({ type: 'Odd' }), metric({ type: 'Resource' }), metric({ type: 'Resource', resource: { name: '', target: { type: 'Odd' } } }), metric({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 0, averageValue: '0' } } }), metric({ type: 'Pods', pods: { metric: { name: '' }, target: { type: 'Value', value: '-1' } } }), metric({ type: 'Object', object: { describedObject: { kind: '', name: '' }, metric: { name: 'a/b' }, target: { type: 'Value' } } }),
    metric({ type: 'External', external: { metric: { name: 'x' }, target: { type: 'Value', value: '1', averageValue: '1' } } }), metric({ type: 'ContainerResource', containerResource: { name: 'foo', container: '', target: { type: 'Utilization', averageUtilization: 5 } } }), metric({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 5 } }, pods: { metric: { name: 'x' }, target: { type: 'AverageValue', averageValue: '1' } } }),
  ]) },
  { name: 'reviews', steps: [
    ...[{ spec: {} }, { spec: { user: 'u', resourceAttributes: { verb: 'get', resource: 'pods' } } }, { spec: { user: 'u', resourceAttributes: {}, nonResourceAttributes: { path: '/x', verb: 'get' } } }, { metadata: { name: 'x' }, spec: { groups: ['g'], nonResourceAttributes: { path: '/x' } } }, { spec: { user: 'u', resourceAttributes: { fieldSelector: {} } } }].map((body) => tryCreate('/apis/authorization.k8s.io/v1/subjectaccessreviews', body)),
    ...[{ spec: {} }, { spec: { nonResourceAttributes: { path: '/x', verb: 'get' } } }].map((body) => tryCreate('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body)),
  ] },
];
