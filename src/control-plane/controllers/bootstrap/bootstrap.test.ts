import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { configMaps, namespaces, serviceAccounts } from '../../../client/resources.ts';
import type { ConfigMap, Namespace } from '../../../types/kubernetes/generated/core-v1.ts';
import { Harness } from '../harness.test-helper.ts';
import { createRootCaPublisher } from './root-ca.ts';
import { createServiceAccountController } from './service-account.ts';

test('each live namespace has its service account and the root certificate, and gets them back', async () => {
  const harness = new Harness({ options: { rootCa: 'PEM' } });
  await harness.api.create<Namespace>(namespaces, undefined, { metadata: { name: 'early' }, status: { phase: 'Active' } });
  await harness.start(createServiceAccountController, createRootCaPublisher);
  await harness.api.create<Namespace>(namespaces, undefined, { metadata: { name: 'late' }, status: { phase: 'Active' } });
  await harness.api.create<Namespace>(namespaces, undefined, { metadata: { name: 'leaving' }, status: { phase: 'Terminating' } });
  await settle();
  const found = (): string[] =>
    [...harness.api.all(serviceAccounts), ...harness.api.all(configMaps)]
      .map(({ metadata }) => `${metadata!.namespace}/${metadata!.name}`)
      .toSorted();
  const all = ['early/default', 'early/kube-root-ca.crt', 'late/default', 'late/kube-root-ca.crt'];
  assert.deepEqual(found(), all);
  await harness.api.delete(serviceAccounts, 'early', 'default');
  await harness.api.delete(configMaps, 'late', 'kube-root-ca.crt');
  harness.api.edit<ConfigMap>(configMaps, 'early', 'kube-root-ca.crt', (map) => (map.data = { 'ca.crt': 'forged' }));
  await settle();
  assert.deepEqual(found(), all);
  assert.ok(harness.api.all<ConfigMap>(configMaps).every((map) => map.data!['ca.crt'] === 'PEM' && map.metadata!.annotations!['kubernetes.io/description']));
  await harness.stop();
});
