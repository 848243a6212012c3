import type { Served } from '../server.test-helper.ts';

const pod = {
  containers: [
    {
      name: 'c',
      image: 'i',
      ports: [{ containerPort: 80, name: 'web' }],
      env: [{ name: 'A', value: 'b' }],
      resources: { limits: { cpu: '1' } },
      livenessProbe: { httpGet: { port: 'web', path: '/' } },
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    },
  ],
  volumes: [{ name: 'v', configMap: { name: 'x' } }],
  securityContext: { runAsUser: 1 },
  nodeSelector: { a: 'b' },
  tolerations: [{ key: 'a', operator: 'Exists' }],
};
const selector = { matchLabels: { app: 'x' } };
const template = { metadata: { labels: { app: 'x' } }, spec: pod };
const job = { template: { spec: { ...pod, restartPolicy: 'Never' } } };
const RBAC = { apiGroup: 'rbac.authorization.k8s.io' };

/** A plain object of each kind that says much: path of its collection, and what it holds beside its name. */
const SAMPLES: readonly (readonly [string, object])[] = [
  ['/api/v1/namespaces/default/serviceaccounts', { secrets: [{ name: 's' }], imagePullSecrets: [{ name: 's' }] }],
  ['/api/v1/namespaces/default/configmaps', { data: { a: 'b' }, binaryData: { c: 'AA==' } }],
  ['/api/v1/namespaces/default/secrets', { data: { a: 'AA==' }, type: 'Opaque' }],
  ['/api/v1/nodes', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }], podCIDRs: ['10.0.0.0/24'], podCIDR: '10.0.0.0/24' } }],
  ['/api/v1/namespaces/default/pods', { spec: { ...pod, serviceAccountName: 'x' } }],
  ['/api/v1/namespaces/default/services', { spec: { selector: { a: 'b' }, ports: [{ name: 'p', port: 80, targetPort: 'web' }], externalIPs: ['1.2.3.4'] } }],
  ['/api/v1/namespaces/default/endpoints', { subsets: [{ addresses: [{ ip: '10.1.1.1' }], ports: [{ port: 1 }] }] }],
  ['/api/v1/namespaces/default/persistentvolumeclaims', { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
  ['/api/v1/persistentvolumes', { spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } } }],
  ['/api/v1/namespaces/default/limitranges', { spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } }],
  ['/api/v1/namespaces/default/resourcequotas', { spec: { hard: { pods: '100' } } }],
  ['/api/v1/namespaces/default/events', { involvedObject: { kind: 'Pod', namespace: 'default', name: 'x' }, reason: 'r', message: 'm', type: 'Normal' }],
  ['/api/v1/namespaces/default/replicationcontrollers', { spec: { selector: { app: 'x' }, template } }],
  ['/apis/apps/v1/namespaces/default/deployments', { spec: { selector, template, strategy: { rollingUpdate: { maxSurge: '25%' } } } }],
  ['/apis/apps/v1/namespaces/default/replicasets', { spec: { selector, template } }],
  [
    '/apis/apps/v1/namespaces/default/statefulsets',
    {
      spec: {
        selector,
        template,
        serviceName: 's',
        volumeClaimTemplates: [
          { metadata: { name: 'd' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
        ],
      },
    },
  ],
  ['/apis/apps/v1/namespaces/default/daemonsets', { spec: { selector, template } }],
  ['/apis/batch/v1/namespaces/default/jobs', { spec: job }],
  ['/apis/batch/v1/namespaces/default/cronjobs', { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: job } } }],
  [
    '/apis/networking.k8s.io/v1/namespaces/default/ingresses',
    {
      spec: {
        rules: [
          { host: 'a.b', http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 's', port: { number: 80 } } } }] } },
        ],
        tls: [{ hosts: ['a.b'] }],
      },
    },
  ],
  [
    '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
    {
      spec: {
        podSelector: selector,
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80 }] }],
      },
    },
  ],
  ['/apis/policy/v1/namespaces/default/poddisruptionbudgets', { spec: { selector, minAvailable: '50%' } }],
  [
    '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers',
    {
      spec: {
        maxReplicas: 2,
        scaleTargetRef: { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' },
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
      },
    },
  ],
  [
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.1.1'] }], ports: [{ port: 1 }] },
  ],
  [
    '/apis/coordination.k8s.io/v1/namespaces/default/leases',
    { spec: { holderIdentity: 'h', leaseDurationSeconds: 1, renewTime: '2026-01-01T00:00:00.000000Z' } },
  ],
  ['/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles', { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', { aggregationRule: { clusterRoleSelectors: [selector] } }],
  [
    '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings',
    { roleRef: { ...RBAC, kind: 'Role', name: 'x' }, subjects: [{ ...RBAC, kind: 'User', name: 'u' }] },
  ],
  [
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    { roleRef: { ...RBAC, kind: 'ClusterRole', name: 'x' }, subjects: [{ ...RBAC, kind: 'User', name: 'u' }] },
  ],
  ['/apis/storage.k8s.io/v1/storageclasses', { provisioner: 'p', parameters: { a: 'b' } }],
  ['/apis/scheduling.k8s.io/v1/priorityclasses', { value: 5 }],
];

/** Makes one object of most kinds. @returns their paths */
export async function makeSamples(served: Served): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const [path, body] of SAMPLES) {
    const object = { metadata: { name: 'x', labels: { app: 'x' }, annotations: { a: 'b' } }, ...body } as { metadata: { name: string } };
    await served.make(path, { ...object });
    paths.push(`${path}/${object.metadata.name}`);
  }
  return paths;
}
