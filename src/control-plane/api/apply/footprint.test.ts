import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { jsonCopy } from '../registry/equal.ts';
import { kubernetesRules as rules } from '../rules/rules.ts';
import { compare } from './compare.ts';
import { recall, remember } from './footprint.ts';
import { blankOf } from './track.ts';
import { rootShape } from './shape.ts';

const find = (name: string): (typeof RESOURCES)[number] => RESOURCES.find((row) => row.resource === name && row.group !== 'events.k8s.io')!;
const metadata = {
  name: 'x',
  labels: { app: 'a', tier: 'b' },
  finalizers: ['example.com/one', 'example.com/two'],
  annotations: {},
  ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u1' }],
};
const container = {
  name: 'c',
  image: 'i',
  command: ['a', 'b'],
  env: [
    { name: 'A', value: '1' },
    { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ],
  resources: { requests: { cpu: '10m', memory: '16Mi' } },
  ports: [
    { containerPort: 80, name: 'http' },
    { containerPort: 80, protocol: 'UDP' },
  ],
  volumeMounts: [{ name: 'v', mountPath: '/v' }],
  securityContext: {},
};
const spec = {
  containers: [container, { name: 'd', image: 'i' }],
  volumes: [{ name: 'v', emptyDir: {} }],
  nodeSelector: { a: 'b' },
  tolerations: [{ key: 'k', operator: 'Exists' }],
  securityContext: { runAsUser: 0 },
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'k', operator: 'Exists' }] }] },
    },
  },
};
const OBJECTS: readonly (readonly [string, Record<string, unknown>])[] = [
  ['pods', { apiVersion: 'v1', kind: 'Pod', metadata, spec }],
  ['configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1', b: '' }, binaryData: { c: 'AA==' }, immutable: false }],
  [
    'services',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'b', protocol: 'UDP' },
        ],
        selector: { app: 'a' },
        type: 'ClusterIP',
      },
    },
  ],
  [
    'deployments',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 0, selector: { matchLabels: { app: 'a' } }, template: { metadata: { labels: { app: 'a' } }, spec } },
    },
  ],
];

/** Everything that differs from `value` in one place. */
function* variants(value: unknown): Generator {
  yield undefined;
  yield null;
  if (Array.isArray(value)) {
    yield [];
    yield [...value, ...value.slice(0, 1)];
    yield value.toReversed();
    for (const [at, item] of value.entries()) {
      for (const other of variants(item)) {
        yield other === undefined ? value.toSpliced(at, 1) : value.with(at, other);
      }
    }
  } else if (typeof value === 'object' && value !== null) {
    yield {};
    yield Object.fromEntries(Object.entries(value).toReversed());
    yield { ...value, more: 'one' };
    yield { ...value, more: {} };
    for (const key of Object.keys(value)) {
      for (const other of variants((value as Record<string, unknown>)[key])) {
        yield { ...value, [key]: other };
      }
    }
  } else if (typeof value === 'string') {
    yield '';
    yield `${value}x`;
  } else if (typeof value === 'number') {
    yield 0;
    yield value + 1;
  } else yield !value;
}

const itemsAreObjects = (value: unknown): boolean => typeof value !== 'object' || value === null
  || (Array.isArray(value) ? value.every((item) => item !== null && itemsAreObjects(item)) : Object.values(value).every(itemsAreObjects));

for (const [name, body] of OBJECTS) {
  test(`what is recalled of ${name} is what a comparison finds`, () => {
    const resource = find(name);
    const shape = rootShape(resource, undefined);
    const blank = blankOf(resource);
    const whole = jsonCopy(body) as KubeObject;
    rules.applyDefaults(resource, whole);
    let hits = 0;
    let seen = 0;
    const { changed } = compare(shape, blank, whole);
    for (const object of variants(whole)) {
      // Decoding leaves no null among items, and none in place of the whole.
      if (typeof object !== 'object' || object === null || !itemsAreObjects(object)) continue;
      seen++;
      if (recall(shape, blank, whole) === undefined) remember(shape, blank, whole, changed);
      const expected = compare(shape, blank, object);
      const recalled = recall(shape, blank, object);
      if (recalled === undefined) remember(shape, blank, object, expected.changed);
      else {
        hits++;
        assert.equal(JSON.stringify({ changed: recalled, removed: {} }), JSON.stringify(expected));
      }
    }
    assert.ok(seen > 30 && hits > seen / 20 && hits < seen, `${hits} of ${seen}`);
  });
}

test('objects made of one template are recalled, whatever their values', () => {
  const resource = find('pods');
  const shape = rootShape(resource, 'none');
  const made = (n: number): unknown => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${n}`, labels: { app: `a${n}` } },
    spec: { containers: [{ name: 'c', image: `i${n}` }] },
  });
  const { changed } = compare(shape, blankOf(resource), made(0));
  remember(shape, blankOf(resource), made(0), changed);
  for (let n = 1; n < 10; n++) assert.equal(recall(shape, blankOf(resource), made(n)), changed);
});

test('what is unlike everything before does not push out what comes again for ever', () => {
  const resource = find('configmaps');
  const shape = rootShape(resource, 'none');
  const made = (key: string): unknown => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { [key]: '' } });
  const blank = blankOf(resource);
  for (let n = 0; n < 1000; n++) remember(shape, blank, made(`k${n}`), compare(shape, blank, made(`k${n}`)).changed);
  for (let n = 0; n < 20; n++) {
    if (recall(shape, blank, made('same')) === undefined) {
      remember(shape, blank, made('same'), compare(shape, blank, made('same')).changed);
    }
  }
  assert.deepEqual(recall(shape, blank, made('same')), compare(shape, blank, made('same')).changed);
});
