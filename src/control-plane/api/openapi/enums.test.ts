import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enumOf } from './enums.ts';
import { SchemaCollector } from './schemas.ts';

test('fields of few values name them, in lists as well', () => {
  const collector = new SchemaCollector(3);
  collector.add('io.k8s.api.core.v1.PersistentVolumeClaimSpec');
  collector.add('io.k8s.api.batch.v1.CronJobSpec');
  const schemas = collector.schemas() as Record<string, { properties: Record<string, { enum?: string[]; items?: { enum?: string[] } }> }>;
  assert.deepEqual(schemas['io.k8s.api.core.v1.PersistentVolumeClaimSpec']!.properties.accessModes!.items!.enum, [
    'ReadOnlyMany',
    'ReadWriteMany',
    'ReadWriteOnce',
    'ReadWriteOncePod',
  ]);
  assert.deepEqual(schemas['io.k8s.api.batch.v1.CronJobSpec']!.properties.concurrencyPolicy!.enum, ['Allow', 'Forbid', 'Replace']);
  assert.equal(schemas['io.k8s.api.core.v1.PersistentVolumeClaimSpec']!.properties.volumeName!.enum, undefined);
});

test('a type is looked for in the package of its owner, then in the core', () => {
  assert.deepEqual(enumOf('io.k8s.api.apps.v1.DeploymentStrategy', 'v1.DeploymentStrategyType'), ['Recreate', 'RollingUpdate']);
  assert.deepEqual(enumOf('io.k8s.api.discovery.v1.EndpointPort', 'v1.Protocol'), ['SCTP', 'TCP', 'UDP']);
  assert.equal(enumOf('io.k8s.api.apps.v1.DeploymentCondition', 'v1.DeploymentConditionType'), undefined);
});
