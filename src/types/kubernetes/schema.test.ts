import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from './generated/resources.ts';
import { requireSchema, schemaNames, schemaOf } from './schema.ts';

test('every type decodes, and every reference leads somewhere', () => {
  for (const name of schemaNames()) {
    const schema = requireSchema(name);
    assert.equal(schema.name, name);
    for (const field of schema.fields.values()) {
      let type = field.type;
      while (type.kind === 'list' || type.kind === 'map') type = type.kind === 'list' ? type.element : type.value;
      if (type.kind === 'struct') assert.ok(schemaOf(type.name), `${name}.${field.name}: ${type.name}`);
    }
  }
});

test('every served resource has a schema with metadata or none of its own', () => {
  assert.equal(RESOURCES.length, 68);
  for (const row of RESOURCES) assert.ok(schemaOf(row.schema)?.fields.has('kind'), row.schema);
});

test('facts of a few fields', () => {
  const ports = requireSchema('io.k8s.api.core.v1.Container').fields.get('ports')!;
  assert.deepEqual(
    [ports.number, ports.list, ports.listKeys, ports.patchMerge, ports.mergeKey],
    [6, 'map', ['containerPort', 'protocol'], true, 'containerPort'],
  );
  assert.equal(requireSchema('io.k8s.api.core.v1.ContainerPort').fields.get('protocol')!.default, 'TCP');
  const volume = requireSchema('io.k8s.api.core.v1.Volume');
  assert.equal(volume.fields.get('configMap')!.number, 19);
  assert.deepEqual(volume.members.map((m) => [m.name, m.number]), [['name', 1], ['', 2]]);
  const selector = requireSchema('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector');
  assert.equal(selector.atomic, true);
  assert.equal(requireSchema('io.k8s.api.core.v1.ConfigMap').fields.get('binaryData')!.type.kind, 'map');
  assert.equal(schemaOf('constructor'), undefined);
});
