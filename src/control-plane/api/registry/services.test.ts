import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { context, resource } from './fixtures.test-helper.ts';
import { realFixture } from './real.test-helper.ts';

const services = resource('', 'services');
const addresses = resource('networking.k8s.io', 'ipaddresses');

type Service = KubeObject & {
  readonly spec: {
    clusterIP?: string;
    clusterIPs?: string[];
    type?: string;
    ports: { port: number; nodePort?: number }[];
    ipFamilies?: string[];
    ipFamilyPolicy?: string;
    healthCheckNodePort?: number;
  };
};

const service = (name: string, spec: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
  }) as KubeObject;

test('services get an address each, and give it back', async () => {
  const { registry } = await realFixture({ serviceCidr: '10.96.0.0/28' });
  const made = await Promise.all(Array.from({ length: 14 }, (_, n) => registry.create(context(), services, 'default', service(`s${n}`), {})));
  const ips = made.map(({ stored }) => (stored.object as Service).spec.clusterIP!);
  assert.equal(new Set(ips).size, 14);
  for (const ip of ips) assert.match(ip, /^10\.96\.0\.(?:[1-9]|1[0-4])$/);
  assert.deepEqual((made[0]!.stored.object as Service).spec.ipFamilies, ['IPv4']);
  assert.equal((await registry.list(context(), addresses, undefined, {})).items.length, 14);
  await assert.rejects(registry.create(context(), services, 'default', service('full'), {}), /range is full/);
  await registry.delete(context(), services, 'default', 's3', {});
  const again = (await registry.create(context(), services, 'default', service('again'), {})).stored.object as Service;
  assert.equal(again.spec.clusterIP, ips[3]);
});

test('an address that is asked for is given once', async () => {
  const { registry } = await realFixture();
  const outcomes = await Promise.allSettled(
    ['a', 'b'].map((name) => registry.create(context(), services, 'default', service(name, { clusterIP: '10.96.0.10' }), {})),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.match(
    String((outcomes[1] as PromiseRejectedResult).reason),
    /Service "b" is invalid: spec.clusterIPs: Invalid value: \["10.96.0.10"\]: failed to allocate IP 10.96.0.10: provided IP is already allocated/,
  );
  await assert.rejects(
    registry.create(context(), services, 'default', service('c', { clusterIP: '10.97.0.10' }), {}),
    /the provided network does not match the current range/,
  );
});

test('an update keeps what was allotted, a change of type gives it up', async () => {
  const { registry } = await realFixture();
  const made = (await registry.create(context(), services, 'default', service('s', { type: 'NodePort' }), {})).stored.object as Service;
  const { nodePort } = made.spec.ports[0]!;
  assert.ok(nodePort! >= 30000 && nodePort! <= 32767);
  const put = (
    await registry.update(
      context(),
      services,
      'default',
      's',
      service('s', { type: 'NodePort', ports: [{ port: 80 }, { port: 81, name: 'b' }].map((port, n) => ({ name: `p${n}`, ...port })) }),
      {},
    )
  ).stored.object as Service;
  assert.equal(put.spec.clusterIP, made.spec.clusterIP);
  assert.equal(put.spec.ports[0]!.nodePort, nodePort);
  assert.notEqual(put.spec.ports[1]!.nodePort, nodePort);
  await assert.rejects(
    registry.create(context(), services, 'default', service('t', { type: 'NodePort', ports: [{ port: 80, nodePort }] }), {}),
    /spec.ports\[0\].nodePort: Invalid value: \d+: provided port is already allocated/,
  );
  await assert.rejects(
    registry.create(context(), services, 'default', service('t', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }), {}),
    /The range of valid ports is 30000-32767/,
  );
  const plain = (await registry.patch(context(), services, 'default', 's', { type: 'merge', body: { spec: { type: 'ClusterIP' } } }, {}))
    .stored.object as Service;
  assert.equal(plain.spec.ports[0]!.nodePort, undefined);
  await registry.create(context(), services, 'default', service('t', { type: 'NodePort', ports: [{ port: 80, nodePort }] }), {});
  const named = (
    await registry.patch(
      context(),
      services,
      'default',
      's',
      { type: 'merge', body: { spec: { type: 'ExternalName', externalName: 'example.com' } } },
      {},
    )
  ).stored.object as Service;
  assert.equal(named.spec.clusterIP, undefined);
  assert.equal((await registry.list(context(), addresses, undefined, {})).items.length, 1);
});

test('headless services hold nothing, balanced ones node ports', async () => {
  const { registry } = await realFixture();
  const headless = (await registry.create(context(), services, 'default', service('h', { clusterIP: 'None' }), {})).stored.object as Service;
  assert.deepEqual(headless.spec.clusterIPs, ['None']);
  assert.equal((await registry.list(context(), addresses, undefined, {})).items.length, 0);
  const balanced = (
    await registry.create(context(), services, 'default', service('b', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }), {})
  ).stored.object as Service;
  assert.ok(balanced.spec.ports[0]!.nodePort);
  assert.ok(balanced.spec.healthCheckNodePort);
  const dry = (await registry.create(context(), services, 'default', service('d'), { dryRun: true })).stored.object as Service;
  assert.ok(dry.spec.clusterIP);
  assert.equal((await registry.list(context(), addresses, undefined, {})).items.length, 1);
});

test('records and services are made to agree at start', async () => {
  const first = await realFixture();
  const made = (await first.registry.create(context(), services, 'default', service('s'), {})).stored.object as Service;
  await first.registry.close();
  const { store } = first;
  await store.txn({
    compare: [],
    success: [
      { type: 'delete', key: `/registry/networking.k8s.io/ipaddresses/${made.spec.clusterIP}` },
      {
        type: 'put',
        key: '/registry/ranges/nodeports/30005',
        value: Buffer.from('{"kind":"NodePort","apiVersion":"longshore.dev/v1","metadata":{"name":"30005"}}'),
      },
    ],
  });
  const { registry } = await realFixture({ store });
  await assert.rejects(registry.create(context(), services, 'default', service('t', { clusterIP: made.spec.clusterIP }), {}), /already allocated/);
  await registry.create(context(), services, 'default', service('n', { type: 'NodePort', ports: [{ port: 1, nodePort: 30005 }] }), {});
});
