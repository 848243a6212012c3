import type { RecordedCase } from './case.ts';
import { create, put, tryCreate, tryPut } from './steps.ts';

const pods = '/api/v1/namespaces/{ns}/pods';
type Spec = Record<string, unknown>;
const pod = (spec: Spec, metadata: Spec = {}): unknown => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', ...metadata }, spec: { containers: [{ name: 'a', image: 'b' }], ...spec } });
const one = (container: Spec, spec: Spec = {}): unknown => pod({ ...spec, containers: [{ name: 'a', image: 'b', ...container }] });
const volume = (source: Spec, name = 'v'): unknown => pod({ volumes: [{ name, ...source }] });
const many = (bodies: readonly unknown[]): ReturnType<typeof tryCreate>[] => bodies.map((body) => tryCreate(pods, body));

const required = (matchExpressions: readonly object[]): Spec => ({ nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } } });

export const POD_CASES: readonly RecordedCase[] = [
  { name: 'pods: defaults', steps: many([
    pod({}), one({ image: 'b:latest' }), one({ image: 'reg:5000/b' }), one({ image: 'reg:5000/b:1' }), one({ image: 'b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }), one({ imagePullPolicy: 'Never' }),
    one({ livenessProbe: { httpGet: { port: 80 } }, readinessProbe: { tcpSocket: { port: 'web' } }, startupProbe: { exec: { command: ['x'] } } }), one({ livenessProbe: { grpc: { port: 80 } } }),
    one({ resources: { limits: { cpu: '0.5', memory: '1024Ki' }, requests: { cpu: '1e-1' } } }), one({ resources: { limits: { cpu: '0.0001' } } }), one({ ports: [{ containerPort: 80 }] }, { hostNetwork: true }),
    pod({ volumes: [{ name: 'a' }, { name: 'b', secret: { secretName: 's' } }, { name: 'c', configMap: { name: 'c' } }, { name: 'd', hostPath: { path: '/x' } }, { name: 'e', downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } }, { name: 'f', projected: { sources: [{ secret: { name: 'x' } }] } }] }),
    pod({ serviceAccountName: 'sa' }), pod({ serviceAccount: 'sa' }), one({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }, { name: 'B', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }] }),
    pod({ initContainers: [{ name: 'i', image: 'i', restartPolicy: 'Always', resources: { limits: { cpu: '1' } } }] }), pod({ resources: { limits: { cpu: '2' } }, containers: [{ name: 'a', image: 'b', resources: { requests: { cpu: '1', memory: '1Gi' } } }] }),
    pod({ schedulingGates: [{ name: 'example.com/a' }] }), pod({ hostNetwork: false, terminationGracePeriodSeconds: 0, tolerations: [], nodeSelector: {} }), pod({ topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { a: 'b' } } }] }),
    pod({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: {} }] } } }),
  ]) },
  { name: 'pods: names and images', steps: many([
    pod({ containers: [] }), pod({ containers: [{ name: 'A_b', image: '' }] }), pod({ containers: [{ name: 'a', image: 'x' }, { name: 'a', image: 'y' }] }), one({ image: ' b ' }), pod({}, { name: 'A' }), pod({}, { labels: { 'a b': 'c d' } }),
    one({ imagePullPolicy: 'Sometimes', terminationMessagePolicy: 'Nowhere' }), pod({ initContainers: [{ name: 'a', image: 'x' }] }), pod({ initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['x'] } }, lifecycle: {} }] }),
    pod({ initContainers: [{ name: 'i', image: 'x', restartPolicy: 'Sometimes' }] }), one({ restartPolicy: 'Always' }), one({ restartPolicy: 'Bad' }), pod({ ephemeralContainers: [{ name: 'e', image: 'x' }] }), one({ image: undefined }),
    pod({ containers: [{ name: 'a'.repeat(64), image: 'x' }] }),
  ]) },
  { name: 'pods: ports', steps: many([
    one({ ports: [{ containerPort: 0 }] }), one({ ports: [{ containerPort: 70000, hostPort: -1, protocol: 'ICMP', name: 'UPPER' }] }), one({ ports: [{ containerPort: 80, name: 'a' }, { containerPort: 81, name: 'a' }] }),
    one({ ports: [{ containerPort: 80, hostPort: 80 }, { containerPort: 81, hostPort: 80 }] }), one({ ports: [{ containerPort: 80, name: 'this-name-is-far-too-long' }, { containerPort: 1, name: '123' }, { containerPort: 2, name: 'a--b' }, { containerPort: 3, name: '-a' }] }),
    one({ ports: [{ containerPort: 80, hostPort: 81 }] }, { hostNetwork: true }),
  ]) },
  { name: 'pods: environment', steps: many([
    one({ env: [{ name: '' }, { name: 'a=b' }, { name: '1x', value: 'y' }, { name: 'ok', value: 'a', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }), one({ env: [{ name: 'a', valueFrom: {} }] }),
    one({ env: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'spec.foo' } } }, { name: 'b', valueFrom: { fieldRef: { fieldPath: 'metadata.labels' } } }, { name: 'c', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a b']" } } }, { name: 'd', valueFrom: { fieldRef: { fieldPath: '', apiVersion: 'v2' } } }, { name: 'e', valueFrom: { fieldRef: { fieldPath: 'metadata.name', apiVersion: 'v2' } } }, { name: 'f', valueFrom: { fieldRef: { fieldPath: "metadata.name['x']" } } }, { name: 'g', valueFrom: { fieldRef: { fieldPath: 'spec.restartPolicy' } } }] }),
    one({ env: [{ name: 'a', valueFrom: { resourceFieldRef: { resource: 'limits.foo' } } }, { name: 'b', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '2' } } }, { name: 'c', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '3Mi' } } }, { name: 'd', valueFrom: { resourceFieldRef: { resource: '' } } }] }),
    one({ env: [{ name: 'a', valueFrom: { configMapKeyRef: { name: '', key: '' } } }, { name: 'b', valueFrom: { secretKeyRef: { name: 'A', key: 'a/b' } } }, { name: 'c', valueFrom: { secretKeyRef: { name: 'a', key: '..' }, configMapKeyRef: { name: 'a', key: 'b' } } }] }),
    one({ envFrom: [{}, { prefix: 'a=', configMapRef: { name: '' } }, { secretRef: { name: 'A_' }, configMapRef: { name: 'a-' } }] }),
  ]) },
  { name: 'pods: volumes and mounts', steps: many([
    volume({ emptyDir: {}, hostPath: { path: '/' } }), volume({ emptyDir: { sizeLimit: '-1' } }), volume({ hostPath: { path: '', type: 'Foo' } }), volume({ hostPath: { path: '/a/../b' } }), volume({ secret: {} }), volume({ secret: { secretName: 'a', defaultMode: 1000, items: [{ key: '', path: '' }, { key: 'a', path: '/abs', mode: 512 }, { key: 'b', path: '..x' }, { key: 'c', path: 'a/../b' }] } }),
    volume({ configMap: {} }), volume({ persistentVolumeClaim: { claimName: '' } }), volume({ nfs: { server: '', path: 'x' } }), volume({ downwardAPI: { items: [{ path: 'a' }, { path: 'b', fieldRef: { fieldPath: 'spec.nodeName' } }, { path: 'c', resourceFieldRef: { resource: 'limits.cpu' } }] } }),
    volume({ projected: { sources: [{ secret: { name: '' } }, { serviceAccountToken: { path: '', expirationSeconds: 5 } }, { secret: { name: 'a', items: [{ key: 'k', path: 'p' }] }, configMap: { name: 'b', items: [{ key: 'k', path: 'p' }] } }] } }),
    volume({ csi: { driver: '' } }), volume({ csi: { driver: 'A_b' } }), volume({ ephemeral: {} }), volume({ ephemeral: { volumeClaimTemplate: { metadata: { name: 'n' }, spec: { accessModes: ['Foo'] } } } }), volume({ emptyDir: {} }, 'A_'), pod({ volumes: [{ name: 'v', emptyDir: {} }, { name: 'v', emptyDir: {} }] }), volume({ image: { reference: '' } }), volume({ iscsi: {} }), volume({ gitRepo: {} }),
    one({ volumeMounts: [{ name: 'nope', mountPath: '/a' }, { name: 'v', mountPath: '' }, { name: 'v', mountPath: '/b' }, { name: 'v', mountPath: '/b', subPath: '/abs', subPathExpr: '../x' }] }, { volumes: [{ name: 'v', emptyDir: {} }] }),
    one({ volumeMounts: [{ name: 'v', mountPath: '/a', mountPropagation: 'Bidirectional' }, { name: 'v', mountPath: '/c', mountPropagation: 'Odd', recursiveReadOnly: 'Enabled' }] }, { volumes: [{ name: 'v', emptyDir: {} }] }),
    one({ volumeDevices: [{ name: 'v', devicePath: '' }, { name: 'v', devicePath: '/x/../y' }] }, { volumes: [{ name: 'v', emptyDir: {} }] }),
  ]) },
  { name: 'pods: probes and hooks', steps: many([
    one({ livenessProbe: {} }), one({ livenessProbe: { exec: {}, httpGet: { port: 1 } } }), one({ livenessProbe: { httpGet: { port: 0, path: 'x', scheme: 'FTP', httpHeaders: [{ name: 'a b', value: 'c' }] }, successThreshold: 2, periodSeconds: -1 } }), one({ readinessProbe: { tcpSocket: { port: 'BAD!' }, terminationGracePeriodSeconds: 5 } }),
    one({ startupProbe: { exec: { command: ['a'] }, terminationGracePeriodSeconds: 0, successThreshold: 3 } }), one({ lifecycle: { preStop: {} } }), one({ lifecycle: { postStart: { sleep: { seconds: 100 } }, preStop: { sleep: { seconds: -1 } } } }), one({ lifecycle: { stopSignal: 'SIGTERM' } }), one({ lifecycle: { stopSignal: 'SIGFOO' } }, { os: { name: 'linux' } }),
  ]) },
  { name: 'pods: resources', steps: many([
    one({ resources: { limits: { cpu: '-1' } } }), one({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }), one({ resources: { limits: { foo: '1' } } }), one({ resources: { limits: { 'example.com/gpu': '1.5' } } }), one({ resources: { requests: { 'example.com/gpu': '1' } } }), one({ resources: { requests: { 'example.com/gpu': '1' }, limits: { 'example.com/gpu': '2' } } }),
    one({ resources: { limits: { 'hugepages-2Mi': '3Mi' } } }), one({ resources: { limits: { 'hugepages-2Mi': '4Mi', cpu: '1' } } }), one({ resources: { limits: { 'a b': '1' } } }), one({ resources: { claims: [{ name: 'c' }] } }), one({ resources: { limits: { pods: '1', storage: '1' } } }), pod({ resources: { limits: { 'ephemeral-storage': '1' } } }),
    one({ resizePolicy: [{ resourceName: 'disk', restartPolicy: 'X' }, { resourceName: 'cpu', restartPolicy: 'NotRequired' }, { resourceName: 'cpu', restartPolicy: 'NotRequired' }] }), pod({ overhead: { foo: '1' } }),
  ]) },
  { name: 'pods: security', steps: many([
    one({ securityContext: { runAsUser: -1, runAsGroup: -1, procMount: 'Odd', seccompProfile: { type: 'Localhost' }, appArmorProfile: { type: 'Odd' } } }), one({ securityContext: { allowPrivilegeEscalation: false, privileged: true } }), one({ securityContext: { allowPrivilegeEscalation: false, capabilities: { add: ['CAP_SYS_ADMIN'] } } }), one({ securityContext: { procMount: 'Unmasked' } }),
    pod({ securityContext: { runAsUser: -5, fsGroup: -1, supplementalGroups: [1, -2], fsGroupChangePolicy: 'Odd', seccompProfile: { type: '' }, sysctls: [{ name: 'a..b', value: '1' }, { name: 'net.x', value: '' }, { name: 'net.x', value: '' }], supplementalGroupsPolicy: 'Odd', seLinuxChangePolicy: 'Odd' } }),
    pod({ hostPID: true, shareProcessNamespace: true }), pod({ hostUsers: false, hostNetwork: true, hostPID: true, hostIPC: true }), pod({ securityContext: { seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'x' }, appArmorProfile: { type: 'Localhost', localhostProfile: ' x ' } } }), pod({ os: { name: 'windows' }, hostPID: true, securityContext: { runAsUser: 1 } }), pod({ os: { name: 'plan9' } }), pod({ os: { name: 'linux' }, securityContext: { windowsOptions: {} } }),
    pod({ securityContext: { sysctls: [{ name: 'net.ipv4.x', value: '1' }] }, hostNetwork: true }),
  ]) },
  { name: 'pods: scheduling', steps: many([
    pod({ nodeSelector: { 'a b': 'c d' } }), pod({ tolerations: [{ key: 'a', operator: 'Odd' }, { operator: 'Equal' }, { key: 'a', operator: 'Exists', value: 'v' }, { key: 'a', tolerationSeconds: 5 }, { key: 'a b', value: 'c d', effect: 'Odd' }, { key: 'x', operator: 'Gt', value: '5' }] }),
    pod({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] }, preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: { matchExpressions: [{ key: 'a', operator: 'In' }, { key: 'a', operator: 'Exists', values: ['x'] }, { key: 'a', operator: 'Gt' }, { key: 'a b', operator: 'Odd' }], matchFields: [{ key: 'x', operator: 'Exists' }, { key: 'metadata.name', operator: 'In', values: ['A', 'b'] }] } }] } } }),
    pod({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['a b'] }] }] } } } }),
    pod({ affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: '' }, { topologyKey: 'a b', namespaces: ['A'], labelSelector: { matchLabels: { a: 'b c' }, matchExpressions: [{ key: 'x', operator: 'Odd' }, { key: 'y', operator: 'In' }] }, matchLabelKeys: ['q'], mismatchLabelKeys: ['q'] }], preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, podAffinityTerm: { topologyKey: 'x' } }] } } }),
    pod({ topologySpreadConstraints: [{ maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'Odd', minDomains: 0, nodeAffinityPolicy: 'Odd', nodeTaintsPolicy: 'Odd', matchLabelKeys: ['a'] }, { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 }, { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { a: 'b c' } } }] }),
    pod({ schedulingGates: [{ name: 'a b' }, { name: 'x' }, { name: 'x' }], nodeName: 'n' }), pod({ readinessGates: [{ conditionType: 'a b' }] }),
  ]) },
  { name: 'pods: the rest of the spec', steps: many([
    pod({ restartPolicy: 'Sometimes', dnsPolicy: 'Odd' }), pod({ dnsPolicy: 'None' }), pod({ dnsPolicy: 'None', dnsConfig: {} }), pod({ dnsConfig: { nameservers: ['1.2.3.4', 'x', '1.1.1.1', '2.2.2.2'], searches: ['A', '.', 'a_b.c'], options: [{ value: 'x' }] } }), pod({ hostname: 'A', subdomain: 'a.b', activeDeadlineSeconds: 0, nodeName: 'A', serviceAccountName: 'A_' }),
    pod({ hostAliases: [{ ip: 'x', hostnames: ['A'] }, { ip: '01.2.3.4' }] }), pod({ hostnameOverride: 'A', setHostnameAsFQDN: true }), pod({ terminationGracePeriodSeconds: -5 }), pod({}, { annotations: { 'kubernetes.io/config.mirror': 'x', 'controller.kubernetes.io/pod-deletion-cost': 'x' } }), pod({ volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'p' } }] } }] }), pod({ imagePullSecrets: [{}] }),
  ]) },
  { name: 'pods: updates', steps: [
    create(pods, pod({ activeDeadlineSeconds: 50, tolerations: [{ key: 'a', operator: 'Exists' }] }, { labels: { a: 'b' } })),
    tryPut(`${pods}/x`, one({ image: 'c' }, { activeDeadlineSeconds: 40, tolerations: [{ key: 'a', operator: 'Exists' }, { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }, { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }, { key: 'b', operator: 'Exists' }] })),
    tryPut(`${pods}/x`, pod({ activeDeadlineSeconds: 60 })), tryPut(`${pods}/x`, pod({})), tryPut(`${pods}/x`, pod({ containers: [{ name: 'a', image: 'b' }, { name: 'c', image: 'd' }] })), tryPut(`${pods}/x`, pod({ hostNetwork: true, activeDeadlineSeconds: 50 })), tryPut(`${pods}/x`, one({ image: '', command: ['x'] }, { activeDeadlineSeconds: 50 })),
    { method: 'PATCH', path: `${pods}/x`, type: 'merge', body: { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } }, dryRun: true }, { method: 'PATCH', path: `${pods}/x`, type: 'merge', body: { spec: { nodeName: 'n' } }, dryRun: true },
    { method: 'PATCH', path: `${pods}/x/status`, type: 'merge', body: { status: { podIPs: [{ ip: 'x' }], conditions: [{ type: 'a b', status: 'True' }], qosClass: 'Guaranteed', hostIPs: [{ ip: '1.2.3.4' }] } }, dryRun: true },
    put(`${pods}/x`, one({ image: 'c' }, { activeDeadlineSeconds: 40, tolerations: [{ key: 'a', operator: 'Exists' }, { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }, { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }] })),
  ] },
  { name: 'pods: updates behind a gate', steps: [
    create(pods, pod({ schedulingGates: [{ name: 'g' }, { name: 'h' }], nodeSelector: { a: 'b' }, affinity: required([{ key: 'k', operator: 'Exists' }]) })),
    ...[
      { schedulingGates: [{ name: 'g' }], nodeSelector: { a: 'b', c: 'd' }, affinity: required([{ key: 'k', operator: 'Exists' }, { key: 'l', operator: 'Exists' }]) }, { nodeSelector: { c: 'd', b: 'e' }, affinity: required([{ key: 'l', operator: 'Exists' }]) },
      { schedulingGates: [{ name: 'i' }], nodeSelector: { a: 'b' } }, { nodeSelector: { a: 'b' }, affinity: { ...required([{ key: 'k', operator: 'Exists' }]), podAffinity: {} }, hostPID: true },
    ].map((spec) => tryPut(`${pods}/x`, pod({ ...spec, tolerations: [] }))),
  ] },
];
