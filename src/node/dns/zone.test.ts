import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { FakeTransport } from '../../client/fake-transport.test-helper.ts';
import { InformerFactory } from '../../client/informer-factory.ts';
import { endpointSlices, namespaces, services } from '../../client/resources.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import type { Namespace, Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../types/kubernetes/generated/discovery-v1.ts';
import { TYPE } from './message.ts';
import { queryPacket } from './message.test-helper.ts';
import { startDns } from './server.ts';
import { ClusterZone } from './zone.ts';

async function zoneOf(): Promise<ClusterZone> {
  const transport = new FakeTransport({ clock: systemClock, random: systemRandom });
  await transport.create<Namespace>(namespaces, undefined, { metadata: { name: 'default' } });
  const put = (service: Service): Promise<Service> => transport.create(services, 'default', service);
  await put({ metadata: { name: 'web' }, spec: { clusterIP: '10.43.0.20', clusterIPs: ['10.43.0.20'], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } });
  await put({ metadata: { name: 'db' }, spec: { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] } });
  await put({ metadata: { name: 'outside' }, spec: { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' } });
  const slice: EndpointSlice = {
    metadata: { name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } }, addressType: 'IPv4', ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.42.0.5'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.42.0.6'], conditions: { ready: true } },
      { addresses: ['10.42.0.7'], hostname: 'db-2', conditions: { ready: false } },
    ],
  };
  await transport.create(endpointSlices, 'default', slice);
  const informers = new InformerFactory({ transport, clock: systemClock, random: systemRandom, logger: silentLogger });
  const zone = new ClusterZone(informers);
  informers.start();
  await informers.synced();
  informers.stop();
  return zone;
}

const zone = await zoneOf();
const ask = (name: string, type: number = TYPE.A): ReturnType<ClusterZone['answer']> => zone.answer({ name: name.toLowerCase(), asked: name, type, class: 1 });
const addresses = (name: string): string[] | undefined => ask(name)?.records.map((record) => (record.type === 'A' ? record.address : record.type));

test('a Service has its cluster IP, a headless one its ready endpoints', () => {
  assert.deepEqual(addresses('web.default.svc.cluster.local'), ['10.43.0.20']);
  assert.deepEqual(addresses('db.default.svc.cluster.local'), ['10.42.0.5', '10.42.0.6']);
  assert.deepEqual(addresses('db-0.db.default.svc.cluster.local'), ['10.42.0.5']);
  assert.deepEqual(addresses('10-42-0-6.db.default.svc.cluster.local'), ['10.42.0.6']);
});

test('what is not there is NXDOMAIN; a name without records of a type is not', () => {
  for (const name of [
    'gone.default.svc.cluster.local',
    'db-2.db.default.svc.cluster.local',
    'web.other.svc.cluster.local',
    'nonsense.cluster.local',
  ]) {
    assert.equal(ask(name)?.exists, false, name);
  }
  const quad = ask('web.default.svc.cluster.local', TYPE.AAAA);
  assert.deepEqual(quad, { exists: true, records: [] });
  assert.equal(ask('example.com'), undefined, 'others answer for other names');
});

test('SRV names ports, and the pods behind a headless Service', () => {
  assert.deepEqual(
    ask('_http._tcp.web.default.svc.cluster.local', TYPE.SRV)?.records.map(
      (record) => record.type === 'SRV' && [record.port, record.target],
    ),
    [[80, 'web.default.svc.cluster.local']],
  );
  assert.deepEqual(
    ask('_sql._tcp.db.default.svc.cluster.local', TYPE.SRV)?.records.map((record) => record.type === 'SRV' && record.target),
    ['db-0.db.default.svc.cluster.local', '10-42-0-6.db.default.svc.cluster.local'],
  );
  assert.equal(ask('_sql._udp.db.default.svc.cluster.local', TYPE.SRV)?.exists, false);
});

test('addresses have names, and pods have theirs by address', () => {
  assert.deepEqual(
    ask('20.0.43.10.in-addr.arpa', TYPE.PTR)?.records.map((record) => record.type === 'PTR' && record.target),
    ['web.default.svc.cluster.local'],
  );
  assert.deepEqual(
    ask('5.0.42.10.in-addr.arpa', TYPE.PTR)?.records.map((record) => record.type === 'PTR' && record.target),
    ['db-0.db.default.svc.cluster.local'],
  );
  assert.deepEqual(addresses('10-42-0-9.default.pod.cluster.local'), ['10.42.0.9']);
  assert.equal(ask('10-42-0-9.nowhere.pod.cluster.local')?.exists, false);
  assert.equal(ask('300-1-1-1.default.pod.cluster.local')?.exists, false);
});

test('the server answers over UDP, follows a CNAME of its own, and keeps the letters of the question', async () => {
  const server = await startDns({ zone, address: '127.0.0.1', port: 0, upstreams: [], logger: silentLogger });
  const client = createSocket('udp4');
  const reply = (packet: Buffer): Promise<Buffer> => new Promise((resolve) => {
    client.once('message', resolve);
    client.send(packet, server.port, '127.0.0.1');
  });
  try {
    const found = await reply(queryPacket('Outside.default.svc.cluster.local', TYPE.A, { id: 99 }));
    assert.equal(found.readUInt16BE(0), 99);
    assert.equal(found.readUInt16BE(2) & 15, 0);
    assert.equal(found.readUInt16BE(6), 2, 'the CNAME and the address behind it');
    assert.ok(found.includes(Buffer.from('Outside')));
    assert.deepEqual([...found.subarray(-4)], [10, 43, 0, 20]);
    const missing = await reply(queryPacket('gone.default.svc.cluster.local', TYPE.A));
    assert.equal(missing.readUInt16BE(2) & 15, 3);
    assert.equal(missing.readUInt16BE(8), 1, 'an SOA says how long to remember it');
    const refused = await reply(queryPacket('example.com', TYPE.A));
    assert.equal(refused.readUInt16BE(2) & 15, 5);
  } finally {
    client.close();
    await server.close();
  }
});
