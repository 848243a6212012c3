import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, Socket } from 'node:net';
import type { Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openHost } from '../../host/open.ts';
import { instanceTable, linkPrefix } from '../../host/tables.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { hexId, systemRandom } from '../../lib/random.ts';
import { encodeName } from './dns/message.ts';
import type { Endpoint } from './network.ts';
import { openNetworks } from './open.ts';

const host = await openHost();
const folder = await mkdtemp(join(tmpdir(), 'longshore-network-'));
const instance = hexId(systemRandom, 4);
// Of this process alone: instances that want the same subnets at once yield to each other, and the tests want theirs to stay.
const pools = [{ base: `198.18.${(process.pid % 32) * 8}.0/21`, size: 26 }];
const resolvConf = join(folder, 'resolv.conf');
await writeFile(resolvConf, 'nameserver 127.0.0.254\n');
const open = () => openNetworks({ host, folder, instance, clock: systemClock, random: systemRandom, logger: silentLogger, pools, resolvConf });
let networks = await open();
await networks.recover(new Set());
const bridge = await networks.get('bridge');
const servers: Server[] = [];
after(async () => {
  for (const server of servers) server.close();
  await networks.destroy();
  assert.deepEqual((await host.links.list()).filter((link) => link.name.startsWith(linkPrefix(instance))), []);
  assert.deepEqual(await host.mounts.beneath(folder), []);
  await assert.rejects(host.nft.list(`list table ${instanceTable(instance)}`), { code: 'internal' });
  await rm(folder, { recursive: true });
});

/** Every server says who it is and who called. */
async function serve(netns: string, name: string, port = 80): Promise<void> {
  const fd = await host.netns.listen(netns, '0.0.0.0', port);
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${name} ${socket.remoteAddress}`);
  });
  server.listen({ fd });
  await once(server, 'listening');
  servers.push(server);
}

async function reply(socket: Socket): Promise<string> {
  let text = '';
  socket.setTimeout(2000, () => socket.destroy(new Error('timed out')));
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** What a server answers to this process. */
function call(address: string, port: number): Promise<string> {
  return reply(connect(port, address));
}

/** … and to somebody in a namespace. */
async function callFrom(netns: string, address: string, port: number): Promise<string> {
  return await reply(new Socket({ fd: await host.netns.connect(netns, address, port, 700) }));
}

async function container(
  id: string,
  networkId: string,
  options: Partial<Parameters<typeof networks.connect>[1]> = {},
): Promise<{ endpoint: Endpoint; netns: string }> {
  const netns = await networks.createNamespace(id);
  return { netns, endpoint: await networks.connect(networkId, { containerId: id, netns, linkName: 'eth0', ...options }) };
}

async function udpArrivals(netns: string): Promise<number> {
  const { stdout } = await host.spawn.run('nsenter', [`--net=${netns}`, 'cat', '/proc/net/snmp']);
  const [names, values] = stdout.toString().split('\n').filter((line) => line.startsWith('Udp:')).map((line) => line.split(' ')) as [string[], string[]];
  return Number(values[names.indexOf('InDatagrams')]) + Number(values[names.indexOf('NoPorts')]);
}

const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((entry) => entry?.family === 'IPv4' && !entry.internal && !entry.address.startsWith('198.1'))?.address;

test('the predefined networks are there, stay the same, and can’t be removed', async () => {
  assert.deepEqual((await networks.list()).map((network) => network.name).sort(), ['bridge', 'host', 'none']);
  for (const name of ['bridge', 'host', 'none']) {
    await assert.rejects(networks.remove(name), { code: 'forbidden', message: `${name} is a pre-defined network and cannot be removed` });
  }
  assert.equal((await networks.get(bridge.id.slice(0, 12))).name, 'bridge');
  await assert.rejects(networks.get('nope'), { code: 'not-found', message: 'network nope not found' });
  const { endpoint } = await container('hosty', (await networks.get('host')).id);
  assert.equal(endpoint.address, '');
  await networks.disconnect(endpoint.networkId, 'hosty');
});

test('a published port answers at 127.0.0.1, at the machine’s address, and from the container itself', async () => {
  // A port by name: a chosen one is low, where what another, crashed instance left in nftables may still be in force.
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const hostPort = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, 'close');
  const { endpoint, netns } = await container('web', bridge.id, {
    aliases: ['web'],
    ports: [
      { containerPort: 80, protocol: 'tcp', hostPort },
      { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1' },
    ],
  });
  await serve(netns, 'web');
  const [everywhere, local] = endpoint.ports as [Endpoint['ports'][0], Endpoint['ports'][0]];
  assert.ok(everywhere.hostPort === hostPort && everywhere.hostIp === '0.0.0.0' && local.hostPort >= 32_768 && local.hostIp === '127.0.0.1');
  assert.match(await call(endpoint.address, 80), /^web /);
  assert.equal(await call('127.0.0.1', everywhere.hostPort), `web ${bridge.gateway}`);
  assert.match(await call('127.0.0.1', local.hostPort), /^web /);
  assert.match(await callFrom(netns, bridge.gateway!, everywhere.hostPort), /^web /);
  if (ownAddress !== undefined) {
    assert.match(await call(ownAddress, everywhere.hostPort), /^web /);
    await assert.rejects(call(ownAddress, local.hostPort), { code: 'ECONNREFUSED' });
  }
  // A port that is taken, by us and by a stranger.
  const taken = { code: 'conflict', message: `Bind for 0.0.0.0:${everywhere.hostPort} failed: port is already allocated`, remedy: /^container web has it/ };
  await assert.rejects(container('late', bridge.id, { ports: [{ containerPort: 1, protocol: 'tcp', hostPort: everywhere.hostPort }] }), taken);
  const stranger = createServer().listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const strangerPort = (stranger.address() as { port: number }).port;
  await assert.rejects(container('late', bridge.id, { ports: [{ containerPort: 1, protocol: 'tcp', hostPort: strangerPort }] }), {
    code: 'conflict',
    remedy: new RegExp(`pid ${process.pid}`),
  });
  stranger.close();
  assert.equal((await networks.get('bridge')).endpoints.length, 1, 'a refused container holds nothing');
  await networks.removeNamespace('late');
  // Gone with the container.
  await networks.disconnect(bridge.id, 'web');
  await networks.disconnect(bridge.id, 'web');
  await assert.rejects(call('127.0.0.1', everywhere.hostPort), { code: 'ECONNREFUSED' });
  await networks.removeNamespace('web');
});

test('a UDP port leads to the container that has it now, for those too that sent before', async () => {
  const client = createSocket('udp4');
  client.bind(0, '127.0.0.1');
  await once(client, 'listening');
  let hostPort = 0;
  for (const id of ['first', 'second']) {
    const { endpoint, netns } = await container(id, bridge.id, {
      ports: [{ containerPort: 53, protocol: 'udp', hostPort }],
      ...(id === 'second' ? { address: bridge.gateway!.replace(/\d+$/, (last) => String(Number(last) + 39)) } : {}),
    });
    hostPort = endpoint.ports[0]!.hostPort;
    // What arrives is counted by the namespace's own statistics: InDatagrams and NoPorts of UDP.
    const before = await udpArrivals(netns);
    for (let n = 0; n < 100 && (await udpArrivals(netns)) === before; n++) {
      client.send('hello', hostPort, '127.0.0.1');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok((await udpArrivals(netns)) > before, id);
    await networks.disconnect(bridge.id, id);
    await networks.removeNamespace(id);
  }
  client.close();
});

test('networks are apart from each other, and a published port joins them', async () => {
  const front = await networks.create({ name: 'front' });
  const back = await networks.create({ name: 'back', internal: true });
  const one = await container('one', front.id, { ports: [{ containerPort: 80, protocol: 'tcp' }] });
  const two = await container('two', front.id);
  const three = await container('three', bridge.id);
  const inner = await container('inner', back.id);
  await serve(one.netns, 'one');
  await serve(inner.netns, 'inner');
  assert.equal(await callFrom(two.netns, one.endpoint.address, 80), `one ${two.endpoint.address}`);
  await assert.rejects(callFrom(three.netns, one.endpoint.address, 80), { code: 'ETIMEDOUT' });
  await assert.rejects(callFrom(two.netns, inner.endpoint.address, 80), { code: 'ETIMEDOUT' });
  assert.match(await callFrom(three.netns, bridge.gateway!, one.endpoint.ports[0]!.hostPort), /^one /);
  await assert.rejects(callFrom(inner.netns, bridge.gateway!, one.endpoint.ports[0]!.hostPort), 'an internal network has no way out');
  // 127.0.0.1 of the machine is not for containers, although its bridges may carry loopback addresses.
  const secret = createServer((socket) => socket.end('secret')).listen(0, '127.0.0.1');
  await once(secret, 'listening');
  await host.links.routeLoopback('eth0', { address: '127.0.0.1', via: bridge.gateway! }, three.netns);
  await assert.rejects(callFrom(three.netns, '127.0.0.1', (secret.address() as { port: number }).port));
  secret.close();
  // A second network for a container, which then has both; the first one's end leaves it with the other's routes.
  await networks.connect(bridge.id, { containerId: 'two', netns: two.netns, linkName: 'eth1' });
  await assert.rejects(networks.connect(bridge.id, { containerId: 'two', netns: two.netns, linkName: 'eth2' }), { code: 'conflict' });
  await networks.disconnect(front.id, 'two');
  assert.ok((await host.links.routes(two.netns)).some((route) => route.destination === 'default' && route.link === 'eth1'));
  await assert.rejects(networks.remove('front'), { code: 'forbidden', message: /has active endpoints/ });
  for (const [id, network] of [['one', front.id], ['two', bridge.id], ['three', bridge.id], ['inner', back.id]] as const) {
    await networks.disconnect(network, id);
    await networks.removeNamespace(id);
  }
  assert.deepEqual((await networks.prune()).toSorted(), ['back', 'front']);
});

test('options of networks', async () => {
  const made = await networks.create({
    name: 'mine',
    subnet: '203.0.113.0/28',
    gateway: '203.0.113.14',
    ipRange: '203.0.113.8/30',
    labels: { a: 'b' },
    options: {
      'com.docker.network.bridge.name': `${linkPrefix(instance)}mine`,
      'com.docker.network.driver.mtu': '1300',
      'com.docker.network.bridge.enable_icc': 'false',
    },
  });
  assert.deepEqual(
    [made.subnet, made.gateway, made.bridgeName, made.labels],
    ['203.0.113.0/28', '203.0.113.14', `${linkPrefix(instance)}mine`, { a: 'b' }],
  );
  const ids = ['m1', 'm2', 'm3', 'm4'];
  const places = [];
  for (const id of ids) places.push(await container(id, made.id));
  assert.deepEqual(places.map(({ endpoint }) => endpoint.address), ['203.0.113.8', '203.0.113.9', '203.0.113.10', '203.0.113.11']);
  assert.equal((await host.links.list(places[0]!.netns)).find((link) => link.name === 'eth0')?.mtu, 1300);
  await assert.rejects(container('m5', made.id), { code: 'exhausted' });
  await assert.rejects(container('m5', made.id, { address: '203.0.113.9' }), { code: 'conflict', message: 'Address already in use' });
  await assert.rejects(container('m5', made.id, { address: '10.9.9.9' }), { code: 'invalid', message: 'no configured subnet contains IP address 10.9.9.9' });
  const fifth = await container('m5', made.id, { address: '203.0.113.3', mac: '02:00:00:00:00:05' });
  assert.deepEqual([fifth.endpoint.address, fifth.endpoint.mac], ['203.0.113.3', '02:00:00:00:00:05']);
  await serve(places[0]!.netns, 'm1');
  await assert.rejects(callFrom(places[1]!.netns, '203.0.113.8', 80), 'ports that may not talk to each other');
  assert.match(await call('203.0.113.8', 80), /^m1 /);
  for (const id of [...ids, 'm5']) {
    await networks.disconnect(made.id, id);
    await networks.removeNamespace(id);
  }
  await networks.remove('mine');
});

test('what can’t be made says why', async () => {
  const cases: [Parameters<typeof networks.create>[0], string][] = [
    [{ name: 'bridge' }, 'forbidden'],
    [{ name: 'a b' }, 'invalid'],
    [{ name: '../x' }, 'invalid'],
    [{ name: 'x', driver: 'macvlan' }, 'not-implemented'],
    [{ name: 'x', driver: 'overlay' }, 'not-implemented'],
    [{ name: 'x', driver: 'weave' }, 'not-found'],
    [{ name: 'x', driver: 'host' }, 'forbidden'],
    [{ name: 'x', subnet: '203.0.113.1/24' }, 'invalid'],
    [{ name: 'x', subnet: 'fd00::/64' }, 'not-implemented'],
    [{ name: 'x', subnet: '203.0.113.0/24', gateway: '10.0.0.1' }, 'invalid'],
    [{ name: 'x', gateway: '10.0.0.1' }, 'invalid'],
    [{ name: 'x', subnet: bridge.subnet! }, 'forbidden'],
    [{ name: 'x', options: { 'com.docker.network.bridge.name': 'lo' } }, 'conflict'],
    [{ name: 'x', options: { 'com.docker.network.bridge.name': 'much-too-long-a-name' } }, 'invalid'],
  ];
  for (const [options, code] of cases) await assert.rejects(networks.create(options), { code }, JSON.stringify(options));
  await networks.create({ name: 'twice' });
  await assert.rejects(networks.create({ name: 'twice' }), { code: 'already-exists', message: 'network with name twice already exists' });
  await networks.remove('twice');
  const both = await Promise.allSettled([networks.create({ name: 'race' }), networks.create({ name: 'race' }), networks.create({ name: 'race2' })]);
  assert.deepEqual(both.map((result) => result.status), ['fulfilled', 'rejected', 'fulfilled']);
  await networks.prune();
});

async function ask(netns: string, name: string, type = 1): Promise<{ rcode: number; addresses: string[] }> {
  // Over TCP, whose socket can be made in the namespace.
  const query = Buffer.concat([Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), encodeName(name), Buffer.from([0, type, 0, 1])]);
  const socket = new Socket({ fd: await host.netns.connect(netns, '127.0.0.11', 53, 2000) });
  socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    const all = Buffer.concat(chunks);
    if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) break;
  }
  const answer = Buffer.concat(chunks).subarray(2);
  const addresses = [];
  for (let n = 0, at = query.length; n < answer.readUInt16BE(6); n++, at += 16) {
    addresses.push([...answer.subarray(at + 12, at + 16)].join('.'));
  }
  return { rcode: answer[3]! & 15, addresses };
}

test('names are found on the networks that are shared, others are asked for outside', async () => {
  const app = await networks.create({ name: 'app' });
  const other = await networks.create({ name: 'other' });
  const a = await container('aaaa', app.id, { aliases: ['api', 'Backend'] });
  const b = await container('bbbb', app.id, { aliases: ['db', 'backend'] });
  const c = await container('cccc', other.id, { aliases: ['lonely'] });
  assert.deepEqual(networks.resolve(app.id, 'API'), [a.endpoint.address]);
  assert.deepEqual((await ask(b.netns, 'api')).addresses, [a.endpoint.address]);
  assert.deepEqual((await ask(b.netns, 'API.app')).addresses, [a.endpoint.address]);
  assert.deepEqual((await ask(a.netns, 'backend')).addresses.toSorted(), [a.endpoint.address, b.endpoint.address].toSorted());
  assert.deepEqual(await ask(a.netns, 'db', 28), { rcode: 0, addresses: [] }, 'known, but without an IPv6 address');
  await networks.rename(app.id, b.endpoint.containerId, ['store', 'backend']);
  assert.deepEqual((await ask(a.netns, 'store')).addresses, [b.endpoint.address]);
  assert.deepEqual(networks.resolve(app.id, 'db'), []);
  await networks.rename(other.id, b.endpoint.containerId, ['nobody']);
  assert.deepEqual(networks.resolve(other.id, 'nobody'), [], 'it is not there');
  // What we don't know goes to the host's servers: none answers there, so it is a failure, and not a lie.
  assert.equal((await ask(a.netns, 'lonely')).rcode, 2);
  const upstream = createSocket('udp4');
  upstream.bind(53, '127.0.0.254');
  await once(upstream, 'listening');
  upstream.on('message', (data, from) => {
    const response = Buffer.from(data);
    response[2] = 0x81;
    response[3] = 0x83;
    upstream.send(response, from.port, from.address);
  });
  const direct = await networks.connect(other.id, { containerId: 'bbbb', netns: b.netns, linkName: 'eth1', aliases: ['db'] });
  assert.deepEqual((await ask(b.netns, 'lonely')).addresses, [c.endpoint.address]);
  await networks.disconnect(app.id, 'bbbb');
  assert.deepEqual((await ask(b.netns, 'lonely')).addresses, [c.endpoint.address], 'the resolver is reached by the link that is left');
  assert.deepEqual((await ask(c.netns, 'db')).addresses, [direct.address]);
  upstream.close();
  for (const [network, id] of [[app.id, 'aaaa'], [other.id, 'bbbb'], [other.id, 'cccc']] as const) {
    await networks.disconnect(network, id);
    await networks.removeNamespace(id);
  }
  await networks.prune();
});

test('after a restart containers are as they were, and the dead are buried', async () => {
  const net = await networks.create({ name: 'lasting', labels: { keep: 'me' } });
  const living = await container('living', net.id, { aliases: ['living'], ports: [{ containerPort: 80, protocol: 'tcp' }] });
  const dead = await container('dead', net.id, { ports: [{ containerPort: 80, protocol: 'tcp' }] });
  await serve(living.netns, 'living');
  const { hostPort } = living.endpoint.ports[0]!;
  // Somebody else has been at our rules meanwhile.
  await networks.close();
  assert.match(await call('127.0.0.1', hostPort), /^living /, 'served on without us');
  await host.nft.apply(`flush chain ${instanceTable(instance)} engine-output`);
  networks = await open();
  await networks.recover(new Set(['living']));
  const again = await networks.get('lasting');
  assert.deepEqual(
    [again.id, again.subnet, again.labels, again.endpoints.map((endpoint) => endpoint.containerId)],
    [net.id, net.subnet, { keep: 'me' }, ['living']],
  );
  assert.match(await call('127.0.0.1', hostPort), /^living /);
  assert.deepEqual((await ask(living.netns, 'living')).addresses, [living.endpoint.address]);
  await assert.rejects(container('thief', net.id, { ports: [{ containerPort: 1, protocol: 'tcp', hostPort }] }), { code: 'conflict' });
  assert.equal((await container('next', net.id)).endpoint.address, dead.endpoint.address);
  assert.deepEqual((await readdir(join(folder, 'ids'))).sort(), ['living', 'next', 'thief']);
  await networks.recover(new Set());
  assert.deepEqual(await readdir(join(folder, 'ids')), []);
  await networks.remove('lasting');
});

test('a port that a stranger took while we were away stays its container\'s when the stranger has gone', async () => {
  const owner = await container('owner', bridge.id, { ports: [{ containerPort: 80, protocol: 'tcp' }] });
  const { hostPort } = owner.endpoint.ports[0]!;
  await networks.close();
  const stranger = createServer().listen(hostPort, '0.0.0.0');
  await once(stranger, 'listening');
  networks = await open();
  await networks.recover(new Set(['owner']));
  stranger.close();
  await once(stranger, 'close');
  await assert.rejects(container('thief', bridge.id, { ports: [{ containerPort: 1, protocol: 'tcp', hostIp: '127.0.0.1', hostPort }] }), {
    code: 'conflict',
    remedy: /container owner has it/,
  });
  const other = await container('other', bridge.id, { ports: [{ containerPort: 1, protocol: 'tcp' }] });
  assert.notEqual(other.endpoint.ports[0]!.hostPort, hostPort);
  await networks.recover(new Set());
});

test('a firewall that drops what is forwarded is told to let us pass', async () => {
  const { openForwarding, closeForwarding } = await import('./forwarding.ts');
  const scripts: string[] = [];
  const chain = { family: 'ip', table: 'filter', name: 'FORWARD', policy: 'drop' };
  let rules: { rule: { handle: number; comment: string } }[] = [];
  const nft = {
    apply: async (script: string) => void scripts.push(script),
    list: async (command: string) => ({ nftables: command === 'list chains ip' ? [{ chain }] : rules }),
  };
  await openForwarding(nft, 'abcdef01');
  assert.equal(
    scripts.pop(),
    'insert rule ip filter FORWARD iifname "lsabcd*" accept comment "longshore-abcdef01"\ninsert rule ip filter FORWARD oifname "lsabcd*" accept comment "longshore-abcdef01"',
  );
  rules = [{ rule: { handle: 7, comment: 'longshore-abcdef01' } }, { rule: { handle: 8, comment: 'other' } }];
  await openForwarding(nft, 'abcdef01');
  assert.deepEqual(scripts, []);
  await closeForwarding(nft, 'abcdef01');
  assert.deepEqual(scripts, ['delete rule ip filter FORWARD handle 7']);
});

test('many containers at once', async () => {
  const ids = Array.from({ length: 20 }, (_, n) => `many${n}`);
  const made = await Promise.all(ids.map((id) => container(id, bridge.id, { ports: [{ containerPort: 80, protocol: 'tcp' }] })));
  assert.equal(new Set(made.map(({ endpoint }) => endpoint.address)).size, 20);
  assert.equal(new Set(made.map(({ endpoint }) => endpoint.ports[0]!.hostPort)).size, 20);
  await Promise.all(ids.map(async (id) => {
    await networks.disconnect(bridge.id, id);
    await networks.removeNamespace(id);
  }));
  assert.equal((await networks.get('bridge')).endpoints.length, 0);
  await assert.rejects(networks.createNamespace('../x'), { code: 'invalid' });
  closeSync(await host.netns.listen(await networks.createNamespace('again'), '127.0.0.1', 0));
  assert.equal(await networks.createNamespace('again'), await networks.createNamespace('again'));
  await networks.removeNamespace('again');
  await networks.removeNamespace('again');
});
