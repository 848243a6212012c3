import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import { firstThree, labelsText, selectorText } from './column.ts';
import { columnsOf } from './columns/index.ts';
import { summarize } from './columns/pod.ts';
import { duration } from './duration.ts';

const NOW = Date.parse('2030-01-02T00:00:00Z');

test('ages are told in two units at most', () => {
  const S = 1000;
  const M = 60 * S;
  const H = 60 * M;
  const D = 24 * H;
  const cases: readonly [number, string][] = [
    [-5 * S, '<invalid>'],
    [0, '0s'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [3 * M + 4 * S, '3m4s'],
    [10 * M + 4 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [7 * H + 5 * M, '7h5m'],
    [8 * H + 5 * M, '8h'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [7 * D + 3 * H, '7d3h'],
    [8 * D, '8d'],
    [729 * D, '729d'],
    [730 * D, '2y'],
    [3 * 365 * D + 5 * D, '3y5d'],
    [9 * 365 * D, '9y'],
  ];
  for (const [ms, text] of cases) assert.equal(duration(ms), text);
});

test('selectors, labels and long lists', () => {
  assert.equal(
    selectorText({
      matchLabels: { b: '2', a: '1' },
      matchExpressions: [
        { key: 'c', operator: 'In', values: ['y', 'x'] },
        { key: 'd', operator: 'DoesNotExist' },
        { key: 'e', operator: 'Exists' },
      ],
    }),
    'a=1,b=2,c in (x,y),!d,e',
  );
  assert.equal(labelsText({}), '<none>');
  assert.equal(firstThree(['a', 'b', 'c', 'd', 'e']), 'a,b,c + 2 more...');
});

describe('READY, STATUS and RESTARTS of a pod', () => {
  const of = (status: object, extra: { spec?: object; metadata?: object } = {}): string => {
    const { ready, status: word, restarts } = summarize({ metadata: extra.metadata ?? {}, spec: { containers: [{ name: 'a' }], ...extra.spec }, status }, NOW);
    return `${ready} ${word} ${restarts}`;
  };
  const container = (state: object, extra: object = {}): object => ({ name: 'a', ready: false, restartCount: 0, image: 'i', imageID: '', state, ...extra });
  const two = { spec: { containers: [{ name: 'a' }, { name: 'b' }] } };
  const inits = { spec: { initContainers: [{ name: 'i' }, { name: 'j' }] } };
  const cases: readonly [string, object, { spec?: object; metadata?: object }, string][] = [
    ['pending', { phase: 'Pending' }, {}, '0/1 Pending 0'],
    ['gated', { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }, {}, '0/1 SchedulingGated 0'],
    ['evicted', { phase: 'Failed', reason: 'Evicted' }, {}, '0/1 Evicted 0'],
    ['running', { phase: 'Running', containerStatuses: [container({ running: {} }, { ready: true })] }, {}, '1/1 Running 0'],
    [
      'being made',
      { phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })] },
      {},
      '0/1 ContainerCreating 0',
    ],
    [
      'crashing',
      {
        phase: 'Running',
        containerStatuses: [
          container(
            { waiting: { reason: 'CrashLoopBackOff' } },
            { restartCount: 4, lastState: { terminated: { exitCode: 1, finishedAt: '2030-01-01T23:58:30Z' } } },
          ),
        ],
      },
      {},
      '0/1 CrashLoopBackOff 4 (90s ago)',
    ],
    [
      'image missing',
      { phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ImagePullBackOff' } })] },
      {},
      '0/1 ImagePullBackOff 0',
    ],
    [
      'completed',
      { phase: 'Succeeded', containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } })] },
      {},
      '0/1 Completed 0',
    ],
    ['failed', { phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 2, reason: 'Error' } })] }, {}, '0/1 Error 0'],
    ['failed without words', { phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 2 } })] }, {}, '0/1 ExitCode:2 0'],
    ['killed', { phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 137, signal: 9 } })] }, {}, '0/1 Signal:9 0'],
    [
      'one done, one ready',
      {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [
          container({ terminated: { exitCode: 0, reason: 'Completed' } }),
          container({ running: {} }, { name: 'b', ready: true }),
        ],
      },
      two,
      '1/2 Running 0',
    ],
    [
      'one done, one not ready',
      {
        phase: 'Running',
        containerStatuses: [
          container({ terminated: { exitCode: 0, reason: 'Completed' } }),
          container({ running: {} }, { name: 'b', ready: true }),
        ],
      },
      two,
      '1/2 NotReady 0',
    ],
    [
      'initialising',
      {
        phase: 'Pending',
        initContainerStatuses: [container({ terminated: { exitCode: 0 } }, { name: 'i' }), container({ running: {} }, { name: 'j' })],
      },
      inits,
      '0/1 Init:1/2 0',
    ],
    [
      'init fails',
      {
        phase: 'Pending',
        initContainerStatuses: [container({ terminated: { exitCode: 1, reason: 'Error' } }, { name: 'i', restartCount: 2 })],
      },
      inits,
      '0/1 Init:Error 2',
    ],
    [
      'init crashes',
      { phase: 'Pending', initContainerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } }, { name: 'i' })] },
      inits,
      '0/1 Init:CrashLoopBackOff 0',
    ],
    [
      'init ended by itself',
      { phase: 'Pending', initContainerStatuses: [container({ terminated: { exitCode: 3 } }, { name: 'i' })] },
      inits,
      '0/1 Init:ExitCode:3 0',
    ],
    [
      'sidecar runs',
      {
        phase: 'Running',
        initContainerStatuses: [container({ running: {} }, { name: 'i', started: true, ready: true })],
        containerStatuses: [container({ running: {} }, { ready: true })],
      },
      { spec: { initContainers: [{ name: 'i', restartPolicy: 'Always' }] } },
      '2/2 Running 0',
    ],
    [
      'on its way out',
      { phase: 'Running', containerStatuses: [container({ running: {} }, { ready: true })] },
      { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } },
      '1/1 Terminating 0',
    ],
    [
      'on its way out, and done',
      { phase: 'Succeeded', containerStatuses: [container({ terminated: { exitCode: 0, reason: 'Completed' } })] },
      { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } },
      '0/1 Completed 0',
    ],
    ['lost', { phase: 'Running', reason: 'NodeLost' }, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } }, '0/1 Unknown 0'],
  ];
  for (const [name, status, extra, want] of cases) test(name, () => assert.equal(of(status, extra), want));
});

describe('rows', () => {
  /** All cells of an object as kubectl would print them wide. */
  const row = (group: string, resource: string, object: object): string => {
    const info = RESOURCES.find((one) => one.group === group && one.resource === resource)!;
    return columnsOf(info)
      .map(
        (column) =>
          `${column.name}=${String(column.cell({ metadata: { name: 'x', creationTimestamp: '2030-01-01T23:00:00Z' }, ...object }, NOW))}`,
      )
      .join(' ');
  };
  const cases: readonly [string, string, object, string][] = [
    [
      '',
      'nodes',
      {
        metadata: { name: 'n', creationTimestamp: '2030-01-01T23:00:00Z', labels: { 'node-role.kubernetes.io/control-plane': '' } },
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
          nodeInfo: { kubeletVersion: 'v1.36.3', kernelVersion: '6.1', architecture: 'amd64' },
        },
      },
      'Name=n Status=Ready,SchedulingDisabled Roles=control-plane Age=60m Version=v1.36.3 Internal-IP=10.0.0.1 External-IP=<none> OS-Image=<unknown> Kernel-Version=6.1 (amd64) Container-Runtime=<unknown>',
    ],
    [
      '',
      'services',
      {
        spec: {
          type: 'LoadBalancer',
          clusterIPs: ['10.96.0.9'],
          ports: [
            { port: 80, nodePort: 30080, protocol: 'TCP' },
            { port: 53, protocol: 'UDP' },
          ],
          selector: { app: 'a' },
        },
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
      },
      'Name=x Type=LoadBalancer Cluster-IP=10.96.0.9 External-IP=192.0.2.1 Port(s)=80:30080/TCP,53/UDP Age=60m Selector=app=a',
    ],
    [
      '',
      'services',
      { spec: { type: 'ClusterIP', clusterIPs: ['None'] } },
      'Name=x Type=ClusterIP Cluster-IP=None External-IP=<none> Port(s)=<none> Age=60m Selector=<none>',
    ],
    [
      '',
      'endpoints',
      { subsets: [{ addresses: [{ ip: '10.1.0.1' }, { ip: '10.1.0.2' }], ports: [{ port: 80 }, { port: 81 }] }] },
      'Name=x Endpoints=10.1.0.1:80,10.1.0.2:80,10.1.0.1:81 + 1 more... Age=60m',
    ],
    [
      'apps',
      'deployments',
      {
        spec: {
          replicas: 3,
          selector: { matchLabels: { a: 'b' } },
          template: {
            spec: {
              containers: [
                { name: 'c', image: 'i:1' },
                { name: 'd', image: 'j' },
              ],
            },
          },
        },
        status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
      },
      'Name=x Ready=2/3 Up-to-date=3 Available=2 Age=60m Containers=c,d Images=i:1,j Selector=a=b',
    ],
    [
      'batch',
      'jobs',
      {
        spec: { completions: 2 },
        status: {
          succeeded: 2,
          startTime: '2030-01-01T23:00:00Z',
          completionTime: '2030-01-01T23:01:30Z',
          conditions: [{ type: 'Complete', status: 'True' }],
        },
      },
      'Name=x Status=Complete Completions=2/2 Duration=90s Age=60m Containers= Images= Selector=<none>',
    ],
    [
      'batch',
      'cronjobs',
      { spec: { schedule: '* * * * *', suspend: false } },
      'Name=x Schedule=* * * * * Timezone=<none> Suspend=False Active=0 Last Schedule=<none> Age=60m Containers= Images= Selector=<none>',
    ],
    [
      '',
      'events',
      {
        type: 'Warning',
        reason: 'BackOff',
        message: ' again ',
        count: 3,
        involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec' },
        source: { component: 'kubelet', host: 'n' },
        firstTimestamp: '2030-01-01T23:58:00Z',
        lastTimestamp: '2030-01-01T23:59:30Z',
      },
      'Last Seen=30s Type=Warning Reason=BackOff Object=pod/p Subobject=spec Source=kubelet, n Message=again First Seen=2m Count=3 Name=x',
    ],
    [
      'events.k8s.io',
      'events',
      {
        type: 'Normal',
        reason: 'Scheduled',
        note: 'ok',
        regarding: { kind: 'Pod', name: 'p' },
        reportingController: 'default-scheduler',
        eventTime: '2030-01-01T23:59:00.000000Z',
      },
      'Last Seen=60s Type=Normal Reason=Scheduled Object=pod/p Subobject= Source=default-scheduler Message=ok First Seen=60s Count=1 Name=x',
    ],
    [
      '',
      'persistentvolumeclaims',
      {
        spec: { volumeName: 'v', storageClassName: 's', volumeMode: 'Filesystem' },
        status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteMany', 'ReadWriteOnce'] },
      },
      'Name=x Status=Bound Volume=v Capacity=1Gi Access Modes=RWO,RWX StorageClass=s VolumeAttributesClass=<unset> Age=60m VolumeMode=Filesystem',
    ],
    [
      'autoscaling',
      'horizontalpodautoscalers',
      {
        spec: {
          scaleTargetRef: { kind: 'Deployment', name: 'd' },
          minReplicas: 1,
          maxReplicas: 5,
          metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 50 } } }],
        },
        status: { currentReplicas: 2, currentMetrics: [{ type: 'Resource', resource: { current: { averageUtilization: 20 } } }] },
      },
      'Name=x Reference=Deployment/d Targets=cpu: 20%/50% MinPods=1 MaxPods=5 Replicas=2 Age=60m',
    ],
    [
      'policy',
      'poddisruptionbudgets',
      { spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 1 } },
      'Name=x Min Available=50% Max Unavailable=N/A Allowed Disruptions=1 Age=60m',
    ],
    [
      'networking.k8s.io',
      'ingresses',
      { spec: { ingressClassName: 'nginx', rules: [{ host: 'a' }, { host: 'b' }, { host: 'c' }, { host: 'd' }], tls: [{}] } },
      'Name=x Class=nginx Hosts=a,b,c + 1 more... Address= Ports=80, 443 Age=60m',
    ],
    [
      'discovery.k8s.io',
      'endpointslices',
      { addressType: 'IPv4', ports: [{ port: 80 }], endpoints: [{ addresses: ['10.1.0.1'] }] },
      'Name=x AddressType=IPv4 Ports=80 Endpoints=10.1.0.1 Age=60m',
    ],
    [
      'storage.k8s.io',
      'storageclasses',
      {
        metadata: {
          name: 's',
          creationTimestamp: '2030-01-01T23:00:00Z',
          annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
        },
        provisioner: 'p',
      },
      'Name=s (default) Provisioner=p ReclaimPolicy=Delete VolumeBindingMode=Immediate AllowVolumeExpansion=false Age=60m',
    ],
    [
      'certificates.k8s.io',
      'certificatesigningrequests',
      {
        spec: { signerName: 's', username: 'u', expirationSeconds: 3600 },
        status: { conditions: [{ type: 'Approved' }], certificate: 'x' },
      },
      'Name=x Age=60m SignerName=s Requestor=u RequestedDuration=60m Condition=Approved,Issued',
    ],
    [
      'rbac.authorization.k8s.io',
      'rolebindings',
      {
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [
          { kind: 'User', name: 'u' },
          { kind: 'ServiceAccount', name: 's', namespace: 'n' },
        ],
      },
      'Name=x Role=Role/r Age=60m Users=u Groups= ServiceAccounts=n/s',
    ],
    [
      'apps',
      'controllerrevisions',
      {
        revision: 3,
        metadata: {
          name: 'x',
          creationTimestamp: '2030-01-01T23:00:00Z',
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 's', uid: '', controller: true }],
        },
      },
      'Name=x Controller=statefulset.apps/s Revision=3 Age=60m',
    ],
    ['', 'secrets', { type: 'Opaque', data: { a: '' } }, 'Name=x Type=Opaque Data=1 Age=60m'],
    [
      '',
      'resourcequotas',
      { status: { hard: { pods: '3', 'limits.cpu': '2' }, used: { pods: '1' } } },
      'Name=x Request=pods: 1/3 Limit=limits.cpu: 0/2 Age=60m',
    ],
  ];
  for (const [group, resource, object, want] of cases) {
    test(`${resource}${group && `.${group}`}`, () => assert.equal(row(group, resource, object), want));
  }

  test('every kind that is listed has a row for an object of which nothing is known yet', () => {
    for (const info of RESOURCES.filter((one) => one.verbs.includes('list'))) {
      const columns = columnsOf(info);
      assert.ok(
        columns.some((column) => column.format === 'name'),
        info.resource,
      );
      for (const column of columns) {
        assert.doesNotThrow(() => column.cell({ metadata: { name: 'x' } }, NOW), `${info.resource} ${column.name}`);
      }
    }
  });
});
