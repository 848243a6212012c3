import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import { qualified } from '../errors.ts';
import { serve, type Served } from '../server.test-helper.ts';
import { NOT_ACTED_UPON } from './unserved.ts';

let served: Served;
before(async () => { served = await serve(); });
after(() => served.close());

test('the table names kinds that are served', () => {
  const known = new Set(RESOURCES.map(qualified));
  for (const kind of Object.keys(NOT_ACTED_UPON)) assert.ok(known.has(kind), kind);
});

test('who writes what is not acted upon is warned, at each write', async () => {
  const path = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
  const created = await served.call('POST', path, { body: { metadata: { name: 'deny' }, spec: { podSelector: {} } } });
  assert.equal(created.status, 201);
  const told = /^299 - "NetworkPolicy is kept, but not acted upon: no traffic is restricted by it/;
  assert.match(String(created.headers.warning), told);
  const patched = await served.call('PATCH', `${path}/deny`, { type: 'application/merge-patch+json', body: { metadata: { labels: { a: 'b' } } } });
  assert.deepEqual([patched.status, told.test(String(patched.headers.warning))], [200, true]);
  assert.equal((await served.call('GET', `${path}/deny`)).headers.warning, undefined);
  assert.equal((await served.call('POST', '/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'plain' } } })).headers.warning, undefined);
});

test('a pod is not resized, and who asks is told; resources of a pod as a whole are warned about', async () => {
  const path = '/api/v1/namespaces/default/pods';
  const containers = [{ name: 'c', image: 'busybox', resources: { limits: { cpu: '1' } } }];
  await served.call('POST', '/api/v1/namespaces/default/serviceaccounts', { body: { metadata: { name: 'default' } } });
  const plain = await served.call('POST', path, { body: { metadata: { name: 'sized' }, spec: { containers } } });
  assert.deepEqual([plain.status, plain.headers.warning], [201, undefined]);
  const body = { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '2' } } }] } };
  const answer = await served.call('PATCH', `${path}/sized/resize`, { type: 'application/strategic-merge-patch+json', body });
  const { code, reason, message } = answer.json<Status>();
  assert.deepEqual([code, reason], [501, 'NotImplemented']);
  assert.match(message!, /pods "sized" cannot be resized.*kubectl set resources/);
  const spec = { containers: [{ name: 'c', image: 'busybox' }], resources: { limits: { cpu: '1' } } };
  const whole = await served.call('POST', path, { body: { metadata: { name: 'whole' }, spec } });
  assert.equal(whole.status, 201);
  assert.match(String(whole.headers.warning), /spec\.resources of a pod is kept, but limits and reserves nothing/);
});

test('what keeping would be a lie about is refused with why and what to do', async () => {
  const crd = {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  };
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  for (const [method, at, options] of [
    ['POST', path, {}],
    ['PATCH', `${path}/widgets.example.com?fieldManager=m`, { type: 'application/apply-patch+yaml' }],
  ] as const) {
    const answer = await served.call(method, at, {
      body: { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', ...crd },
      ...options,
    });
    const { code, reason, message, details } = answer.json<Status>();
    assert.deepEqual([code, reason, details?.name], [501, 'NotImplemented', 'widgets.example.com']);
    assert.match(message!, /serves no custom resources, so that no Widget could be kept.*--skip-crds/);
  }
  assert.equal((await served.call('GET', `${path}/widgets.example.com`)).status, 404);

  const service = {
    metadata: { name: 'v1.example.com' },
    spec: {
      group: 'example.com',
      version: 'v1',
      groupPriorityMinimum: 1,
      versionPriority: 1,
      insecureSkipTLSVerify: true,
      service: { namespace: 'default', name: 'extension' },
    },
  };
  const answer = await served.call('POST', '/apis/apiregistration.k8s.io/v1/apiservices', { body: service });
  assert.equal(answer.status, 501);
  assert.match(answer.json<Status>().message!, /\/apis\/example\.com\/v1.*default\/extension/);
});
