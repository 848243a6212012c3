import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { clusterRoles, services } from '../../../client/resources.ts';
import type { Service } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ClusterRole } from '../../../types/kubernetes/generated/rbac-v1.ts';
import { Harness } from '../harness.test-helper.ts';
import { ClusterRoleAggregationController } from '../rbac/aggregation.ts';
import { createLoadBalancerController } from './load-balancer.ts';

test('a LoadBalancer has its address at once, loses it with its type, and others keep theirs', async () => {
  const harness = new Harness({
    options: { loadBalancerIngress: (_service, nodes) => [...nodes].map(({ status }) => ({ ip: status!.addresses![0]!.address })) },
  });
  await harness.addNode('a');
  await harness.start(createLoadBalancerController);
  await harness.api.create<Service>(services, 'default', { metadata: { name: 'web' }, spec: { type: 'LoadBalancer' } });
  await harness.api.create<Service>(services, 'default', {
    metadata: { name: 'foreign' },
    spec: { type: 'LoadBalancer', loadBalancerClass: 'example.org/x' },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
  });
  await settle();
  const ingress = (name: string): unknown => harness.api.all<Service>(services).find(({ metadata }) => metadata!.name === name)!.status?.loadBalancer?.ingress;
  assert.deepEqual(ingress('web'), [{ ip: '10.1.0.1' }]);
  harness.api.edit<Service>(services, 'default', 'web', (service) => (service.spec!.type = 'ClusterIP'));
  await settle();
  assert.equal(ingress('web'), undefined);
  assert.deepEqual(ingress('foreign'), [{ ip: '192.0.2.9' }]);
  await harness.stop();
});

test('aggregated roles gather the rules of others', async () => {
  const harness = new Harness();
  await harness.start((context) => new ClusterRoleAggregationController(context));
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  await harness.api.create<ClusterRole>(clusterRoles, undefined, {
    metadata: { name: 'view' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { view: 'yes' } }] },
    rules: [],
  });
  await harness.api.create<ClusterRole>(clusterRoles, undefined, {
    metadata: { name: 'b', labels: { view: 'yes' } },
    rules: [rule('pods'), rule('secrets')],
  });
  await harness.api.create<ClusterRole>(clusterRoles, undefined, {
    metadata: { name: 'a', labels: { view: 'yes' } },
    rules: [rule('pods')],
  });
  await settle();
  const rules = (): unknown => harness.api.all<ClusterRole>(clusterRoles).find(({ metadata }) => metadata!.name === 'view')!.rules;
  assert.deepEqual(rules(), [rule('pods'), rule('secrets')]);
  await harness.api.delete(clusterRoles, undefined, 'b');
  await settle();
  assert.deepEqual(rules(), [rule('pods')]);
  await harness.stop();
});
