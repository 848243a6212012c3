import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import { schemaOf } from '../../../types/kubernetes/schema.ts';
import { ResourceTable } from '../resource-table.ts';
import { describeField, descriptions, describeType } from './descriptions.ts';
import { OpenApiDocuments } from './documents.ts';

test('whatever is described exists, in one line of fair length', () => {
  let count = 0;
  for (const [type, { text, fields }] of descriptions()) {
    const schema = schemaOf(type);
    assert.ok(schema !== undefined, `there is no type ${type}`);
    assert.ok(text.length > 0 && text.length <= 160, type);
    for (const [field, line] of fields) {
      assert.ok(schema.fields.has(field), `${type} has no field ${field}`);
      assert.ok(line.length > 0 && line.length <= 160 && !line.endsWith('.'), `${type}.${field}: ${line}`);
      count++;
    }
  }
  assert.ok(count > 300, String(count));
});

test('what a field of every kind means is said, and nothing of inherited names', () => {
  assert.equal(describeField('io.k8s.api.core.v1.Binding', 'kind', true), 'What the object is, as in Deployment');
  assert.equal(describeField('io.k8s.api.core.v1.Binding', 'kind', false), undefined);
  assert.equal(describeField('io.k8s.api.core.v1.Binding', 'constructor', true), undefined);
  assert.equal(describeType('io.k8s.api.core.v1.Binding'), undefined);
});

test('both versions of OpenAPI carry them', () => {
  const documents = new OpenApiDocuments(new ResourceTable(RESOURCES));
  const three = JSON.parse(documents.version3('api/v1')!.body.toString()) as {
    components: { schemas: Record<string, { description?: string; properties: Record<string, { description?: string }> }> };
  };
  const pod = three.components.schemas['io.k8s.api.core.v1.PodSpec']!;
  assert.match(pod.description ?? '', /^What a pod runs/);
  assert.match(pod.properties.containers!.description ?? '', /at least one$/);
  assert.match(three.components.schemas['io.k8s.api.core.v1.Pod']!.properties.metadata!.description ?? '', /^Name, namespace/);
  const two = JSON.parse(documents.swagger('json').body.toString()) as { definitions: typeof three.components.schemas };
  assert.equal(two.definitions['io.k8s.api.apps.v1.DeploymentSpec']!.properties.replicas!.description, 'How many pods; 1 unless set');
  assert.ok(documents.swagger('protobuf').body.includes('How many pods; 1 unless set'));
});
