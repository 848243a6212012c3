import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdmissionPlugin } from '../contract.ts';
import { configMap, configMaps, context, fixture, pods } from './fixtures.test-helper.ts';
import { Plugins } from './plugins.ts';

test('a peek shows what is there now, and makes a list anew only after its kind has changed', async () => {
  const { registry } = await fixture();
  const peek = registry.peek!(configMaps);
  const names = (namespace: string | undefined): unknown[] => peek.list(namespace).map((object) => object.metadata!.name);
  assert.equal(peek.get('default', 'a'), undefined);
  assert.deepEqual(names('default'), []);
  await registry.create(context(), configMaps, 'default', configMap('b'), {});
  await registry.create(context(), configMaps, 'default', configMap('a'), {});
  assert.equal(peek.get('default', 'a')!.metadata!.name, 'a');
  assert.deepEqual(names('default'), ['a', 'b']);
  assert.deepEqual(names('defaul'), []);
  assert.deepEqual(names(undefined), ['a', 'b']);
  assert.equal(peek.list('default'), peek.list('default'));
  await registry.delete(context(), configMaps, 'default', 'a', {});
  assert.deepEqual(names('default'), ['b']);
  assert.equal(peek.get('default', 'a'), undefined);
});

test('plug-ins are asked once for each kind of request, and keep their order', () => {
  const asked: string[] = [];
  const plugin = (name: string, handles: boolean, part: 'mutate' | 'validate'): AdmissionPlugin => ({
    name,
    handles: ({ operation, subresource }) => {
      asked.push(`${name} ${operation} ${subresource ?? ''}`.trim());
      return handles;
    },
    [part]: () => undefined,
  });
  const [first, second, other, last] = [
    plugin('first', true, 'mutate'),
    plugin('second', true, 'validate'),
    plugin('other', false, 'mutate'),
    plugin('last', true, 'mutate'),
  ];
  const plugins = new Plugins([first, second, other, last]);
  for (let n = 0; n < 3; n++) assert.deepEqual(plugins.of(pods, 'CREATE', undefined), { mutating: [first, last], validating: [second] });
  assert.equal(asked.length, 4);
  plugins.of(pods, 'CREATE', 'binding');
  plugins.of(pods, 'UPDATE', undefined);
  plugins.of(configMaps, 'CREATE', undefined);
  assert.equal(asked.length, 16);
});
