import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, deployments, persistentVolumeClaims, pods, resourceQuotas, services } from '../../../client/resources.ts';
import type { Deployment } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, PodSpec, ResourceQuota, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import { Harness } from '../harness.test-helper.ts';
import { ResourceQuotaController } from './controller.ts';

const quota = (name: string, hard: Record<string, string>, spec = {}): ResourceQuota => ({ metadata: { name }, spec: { hard, ...spec } });
const used = (harness: Harness, name: string): unknown =>
  harness.api.all<ResourceQuota>(resourceQuotas).find(({ metadata }) => metadata!.name === name)!.status?.used;
const pod = (name: string, cpu: string, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', resources: { requests: { cpu, memory: '64Mi' }, limits: { cpu: '1' } } }], ...spec },
});

test('what is used of each limit is counted, and follows what comes and goes', async () => {
  const harness = new Harness();
  await harness.start((context) => new ResourceQuotaController(context));
  await harness.api.create(
    resourceQuotas,
    'default',
    quota('all', {
      pods: '10',
      cpu: '2',
      'requests.memory': '1Gi',
      'limits.cpu': '4',
      services: '5',
      'services.nodeports': '3',
      'services.loadbalancers': '1',
      'requests.storage': '10Gi',
      'fast.storageclass.storage.k8s.io/requests.storage': '5Gi',
      'count/deployments.apps': '3',
      configmaps: '4',
      'count/widgets.example.org': '1',
    }),
  );
  await harness.api.create(pods, 'default', pod('one', '250m'));
  await harness.api.create(pods, 'default', pod('two', '500m', { initContainers: [{ name: 'i', resources: { requests: { cpu: '1' } } }] }));
  await harness.api.create(pods, 'elsewhere', pod('far', '2'));
  await harness.api.create<Service>(services, 'default', {
    metadata: { name: 's' },
    spec: { type: 'LoadBalancer', ports: [{ port: 1 }, { port: 2 }] },
  });
  await harness.api.create<PersistentVolumeClaim>(persistentVolumeClaims, 'default', {
    metadata: { name: 'c' },
    spec: { storageClassName: 'fast', resources: { requests: { storage: '2Gi' } } },
  });
  await harness.api.create<Deployment>(deployments, 'default', { metadata: { name: 'd' } });
  await harness.clock.advance(1000);
  assert.deepEqual(used(harness, 'all'), {
    pods: '2',
    cpu: '1250m',
    'requests.memory': '128Mi',
    'limits.cpu': '2',
    services: '1',
    'services.nodeports': '2',
    'services.loadbalancers': '1',
    'requests.storage': '2Gi',
    'fast.storageclass.storage.k8s.io/requests.storage': '2Gi',
    'count/deployments.apps': '1',
    configmaps: '0',
    'count/widgets.example.org': '0',
  });
  harness.finish(harness.pods('default')[0]!, 'Succeeded');
  await harness.api.create(configMaps, 'default', { metadata: { name: 'm' } });
  await harness.clock.advance(1000);
  const now = used(harness, 'all') as Record<string, string>;
  assert.deepEqual([now['pods'], now['cpu'], now['configmaps']], ['1', '1', '1']);
  const calls = harness.api.calls.length;
  await harness.clock.advance(60_000);
  assert.equal(harness.api.calls.length, calls);
  await harness.stop();
});

test('scopes choose pods', async () => {
  const harness = new Harness();
  await harness.start((context) => new ResourceQuotaController(context));
  await harness.api.create(resourceQuotas, 'default', quota('best-effort', { pods: '5' }, { scopes: ['BestEffort'] }));
  await harness.api.create(
    resourceQuotas,
    'default',
    quota(
      'urgent',
      { pods: '5' },
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
    ),
  );
  await harness.api.create(resourceQuotas, 'default', quota('terminating', { pods: '5' }, { scopes: ['Terminating', 'NotBestEffort'] }));
  await harness.api.create(pods, 'default', pod('a', '1', { activeDeadlineSeconds: 5 }));
  await harness.api.create(pods, 'default', pod('b', '1', { priorityClassName: 'high' }));
  await harness.api.create<Pod>(pods, 'default', { metadata: { name: 'c' }, spec: { containers: [{ name: 'c' }] } });
  await harness.clock.advance(1000);
  assert.deepEqual([used(harness, 'best-effort'), used(harness, 'urgent'), used(harness, 'terminating')], [{ pods: '1' }, { pods: '1' }, { pods: '1' }]);
  await harness.stop();
});
