import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { endpoints, endpointSlices, pods, services } from '../../../client/resources.ts';
import type { Endpoints, Pod, Service, ServiceSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../../types/kubernetes/generated/discovery-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import { EndpointsController } from './controller.ts';
import { EndpointMirrorController } from './mirror-controller.ts';
import { EndpointSliceController } from './slice-controller.ts';

const all = [
  (context: ControllerContext) => new EndpointsController(context),
  (context: ControllerContext) => new EndpointSliceController(context),
  (context: ControllerContext) => new EndpointMirrorController(context),
];

const service = (spec: Partial<ServiceSpec> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: {
    clusterIP: '10.96.0.5',
    ipFamilies: ['IPv4'],
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }],
    ...spec,
  },
});

async function addPod(
  harness: Harness,
  name: string,
  ip: string | undefined,
  { ready = true, port = 8080, labels = { app: 'web' }, hostname = '' } = {},
): Promise<void> {
  await harness.api.create<Pod>(pods, 'default', {
    metadata: { name, labels },
    spec: { ...(hostname && { hostname, subdomain: 'web' }), containers: [{ name: 'c', ports: [{ name: 'web', containerPort: port }] }] },
  });
  if (ip)
    harness.run(
      harness.pods().find((pod) => pod.metadata!.name === name)!,
      { ip, ready },
    );
}

const slices = (harness: Harness): EndpointSlice[] => harness.api.all<EndpointSlice>(endpointSlices);
const object = (harness: Harness): Endpoints | undefined => harness.api.all<Endpoints>(endpoints)[0];
const shown = (harness: Harness): string[] =>
  slices(harness)
    .flatMap((slice) =>
      slice.endpoints.map(
        ({ addresses, conditions: { ready, serving, terminating } = {} }) =>
          `${addresses[0]}${ready ? ' ready' : ''}${serving ? ' serving' : ''}${terminating ? ' terminating' : ''}`,
      ),
    )
    .toSorted();

test('pods with an address become endpoints, with their state, names and owner', async () => {
  const harness = new Harness({ graceful: true });
  await harness.start(...all);
  await harness.addNode('node-1', (node) => ({ ...node, metadata: { ...node.metadata, labels: { 'topology.kubernetes.io/zone': 'z1' } } }));
  const { metadata } = await harness.api.create(services, 'default', service());
  await addPod(harness, 'a', '10.0.0.1');
  await addPod(harness, 'b', '10.0.0.2', { ready: false });
  await addPod(harness, 'waiting', undefined);
  await addPod(harness, 'other', '10.0.0.9', { labels: { app: 'db' } });
  await settle(20);
  assert.deepEqual(shown(harness), ['10.0.0.1 ready serving', '10.0.0.2']);
  const [slice] = slices(harness);
  assert.match(slice!.metadata!.name!, /^web-[a-z0-9]{5}$/);
  assert.deepEqual(slice!.metadata!.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  assert.equal(slice!.metadata!.ownerReferences![0]!.uid, metadata!.uid);
  assert.deepEqual(slice!.ports, [{ name: 'http', protocol: 'TCP', port: 8080 }]);
  const podA = harness.pods().find((pod) => pod.metadata!.name === 'a')!;
  assert.deepEqual(slice!.endpoints[0], {
    addresses: ['10.0.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: podA.metadata!.uid },
    nodeName: 'node-1',
    zone: 'z1',
  });
  assert.deepEqual(object(harness)!.metadata!.labels, { team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' });
  assert.deepEqual(
    object(harness)!.subsets!.map(({ addresses, notReadyAddresses, ports }) => [
      addresses!.map(({ ip }) => ip),
      notReadyAddresses!.map(({ ip }) => ip),
      ports,
    ]),
    [[['10.0.0.1'], ['10.0.0.2'], [{ name: 'http', port: 8080, protocol: 'TCP' }]]],
  );
  await harness.api.delete(pods, 'default', 'a');
  await settle(20);
  assert.deepEqual(shown(harness), ['10.0.0.1 serving terminating', '10.0.0.2']);
  assert.equal(object(harness)!.subsets![0]!.addresses, undefined);
  harness.api.remove(pods, 'default', 'a');
  await settle(20);
  assert.deepEqual(shown(harness), ['10.0.0.2']);
  const calls = harness.api.calls.length;
  harness.api.edit<Pod>(pods, 'default', 'b', (pod) => (pod.metadata!.annotations = { x: 'y' }));
  await settle();
  assert.equal(harness.api.calls.length, calls, 'what does not matter costs nothing');
  await harness.stop();
});

test('named ports may differ from pod to pod; a service without pods has an empty slice', async () => {
  const harness = new Harness();
  await harness.start(...all);
  await harness.api.create(services, 'default', service());
  await settle(20);
  assert.deepEqual(slices(harness).map(({ endpoints, ports }) => [endpoints, ports]), [[[], []]]);
  await addPod(harness, 'old', '10.0.0.1', { port: 8080 });
  await addPod(harness, 'new', '10.0.0.2', { port: 9090 });
  await settle(20);
  assert.deepEqual(slices(harness).map((slice) => [slice.ports[0]!.port, slice.endpoints.length].join(' ')).toSorted(), ['8080 1', '9090 1']);
  assert.equal(object(harness)!.subsets!.length, 2);
  harness.api.edit<Pod>(pods, 'default', 'old', (pod) => (pod.metadata!.labels = { app: 'gone' }));
  harness.api.edit<Pod>(pods, 'default', 'new', (pod) => (pod.metadata!.labels = { app: 'gone' }));
  await settle(20);
  assert.deepEqual(slices(harness).map((slice) => slice.endpoints), [[]]);
  await harness.stop();
});

test('headless services: names of their own, unready ones published when asked for', async () => {
  const harness = new Harness();
  await harness.start(...all);
  await harness.api.create(services, 'default', service({ clusterIP: 'None', publishNotReadyAddresses: true, ports: [] }));
  await addPod(harness, 'p-0', '10.0.0.1', { ready: false, hostname: 'p-0' });
  await settle(20);
  const [slice] = slices(harness);
  assert.equal(slice!.metadata!.labels!['service.kubernetes.io/headless'], '');
  assert.equal(slice!.endpoints[0]!.hostname, 'p-0');
  assert.deepEqual(slice!.endpoints[0]!.conditions, { ready: true, serving: false, terminating: false });
  assert.equal(object(harness)!.subsets![0]!.addresses![0]!.hostname, 'p-0');
  assert.equal(object(harness)!.subsets![0]!.ports, undefined);
  await harness.stop();
});

test('many endpoints fill slices of a hundred, and a change touches one of them', async () => {
  const harness = new Harness();
  for (let n = 0; n < 250; n++) await addPod(harness, `p${n}`, `10.0.${n >> 8}.${n & 255}`);
  await harness.start(...all);
  await harness.api.create(services, 'default', service());
  await settle(20);
  const sizes = (): number[] => slices(harness).map((slice) => slice.endpoints.length).toSorted((a, b) => a - b);
  assert.deepEqual(sizes(), [50, 100, 100]);
  const before = harness.api.calls.length;
  await addPod(harness, 'more', '10.0.9.9');
  await settle(20);
  assert.deepEqual(sizes(), [51, 100, 100]);
  assert.deepEqual(harness.api.calls.slice(before).filter((call) => call.includes('endpointslices')).length, 1);
  await harness.stop();
});

test('services without a selector are left alone, and their hand-written Endpoints mirrored', async () => {
  const harness = new Harness();
  await harness.start(...all);
  const { selector: _, ...spec } = service().spec!;
  await harness.api.create<Service>(services, 'default', { ...service(), spec });
  await settle(20);
  assert.equal(object(harness), undefined);
  assert.deepEqual(slices(harness), []);
  await harness.api.create<Endpoints>(endpoints, 'default', {
    metadata: { name: 'web', labels: { l: 'v' } },
    subsets: [{ addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }], notReadyAddresses: [{ ip: '192.0.2.2' }], ports: [{ port: 99 }] }],
  });
  await settle(20);
  assert.deepEqual(
    slices(harness).map((slice) => [
      slice.addressType,
      slice.endpoints.map((endpoint) => `${endpoint.addresses[0]} ${endpoint.conditions!.ready}`),
      slice.metadata!.labels!['endpointslice.kubernetes.io/managed-by'],
    ]),
    [
      ['IPv4', ['192.0.2.1 true', '192.0.2.2 false'], 'endpointslicemirroring-controller.k8s.io'],
      ['IPv6', ['2001:db8::1 true'], 'endpointslicemirroring-controller.k8s.io'],
    ],
  );
  harness.api.edit<Endpoints>(
    endpoints,
    'default',
    'web',
    (copy) => (copy.metadata!.labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' }),
  );
  await settle(20);
  assert.deepEqual(slices(harness), []);
  await harness.stop();
});

test('Endpoints that were written by hand need no service, and go with the one that they had', async () => {
  const harness = new Harness();
  await harness.start(...all);
  const byHand: Endpoints = { metadata: { name: 'web' }, subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 99 }] }] };
  await harness.api.create<Endpoints>(endpoints, 'default', byHand);
  await settle(20);
  assert.ok(object(harness), 'nobody had a service for it');
  const { selector: _, ...spec } = service().spec!;
  await harness.api.create<Service>(services, 'default', { ...service(), spec });
  await settle(20);
  assert.ok(object(harness));
  await harness.api.delete(services, 'default', 'web');
  await settle(20);
  assert.equal(object(harness), undefined);
  await harness.stop();
});

test('the Endpoints of a service go with it', async () => {
  const harness = new Harness();
  await harness.start(...all);
  await harness.api.create(services, 'default', service());
  await settle(20);
  assert.ok(object(harness));
  await harness.api.delete(services, 'default', 'web');
  await settle(20);
  assert.equal(object(harness), undefined);
  await harness.stop();
});
