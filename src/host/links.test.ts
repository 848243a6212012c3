import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { Undo } from '../lib/undo.ts';
import { LinuxLinks } from './links.ts';
import { LinuxMounts } from './mounts.ts';
import { LinuxNetworkNamespaces } from './netns.ts';

const links = new LinuxLinks();
const mounts = new LinuxMounts();
const netns = new LinuxNetworkNamespaces(mounts);
const dir = await mkdtemp(join(tmpdir(), 'longshore-links-'));
const tag = (process.pid % 46_656).toString(36).padStart(3, '0');
/** Nobody routes here: benchmark addresses (RFC 2544), a subnet by process. */
const net = `198.18.${process.pid % 256}`;
const bridge = `lt${tag}b`;
const undos: Undo[] = [];
after(async () => {
  for (const undo of undos.toReversed()) await undo();
  assert.deepEqual((await links.list()).filter((link) => link.name.startsWith(`lt${tag}`)), []);
  assert.deepEqual(await mounts.beneath(dir), []);
  await rm(dir, { recursive: true });
});

test('a namespace is kept, has its loopback up, and goes without a trace', async () => {
  const path = join(dir, 'one');
  const undo = await netns.create(path);
  const [lo, ...others] = await links.list(path);
  assert.deepEqual([lo?.name, lo?.up, others.length], ['lo', true, 0]);
  await assert.rejects(netns.create(path), { code: 'EEXIST' });
  assert.equal((await links.list(path)).length, 1, 'a refused second try leaves the first alone');
  await undo();
  await undo();
  await assert.rejects(access(path), { code: 'ENOENT' });
});

test('many at once: nobody ends in another one’s namespace', async () => {
  const paths = Array.from({ length: 20 }, (_, n) => join(dir, `many-${n}`));
  const made = await Promise.all(paths.map((path) => netns.create(path)));
  await Promise.all(paths.map((path, n) => links.addresses(path).then(async () => links.addRoute({ destination: `198.19.${n}.0/24`, link: 'lo' }, path))));
  const routes = await Promise.all(paths.map((path) => links.routes(path)));
  assert.deepEqual(
    routes.map((list) => list.map((route) => route.destination)),
    paths.map((_, n) => [`198.19.${n}.0/24`]),
  );
  assert.ok(
    (await links.list()).length > 1 && !(await links.routes()).some((route) => route.destination.startsWith('198.19.')),
    'our own namespace is as it was',
  );
  await Promise.all(made.map(async (undo) => undo()));
});

test('a container on a bridge: addresses, route, MAC, hairpin, and traffic', async () => {
  undos.push(await links.addBridge(bridge, { addresses: [`${net}.1/24`], mtu: 1400 }));
  await links.addBridge(bridge, { addresses: [`${net}.1/24`] });
  const path = join(dir, 'container');
  undos.push(await netns.create(path));
  const hostName = `lt${tag}v0`;
  const options = {
    netns: path,
    bridge,
    hostName,
    name: 'eth0',
    mac: '02:42:c6:12:00:02',
    addresses: [`${net}.2/24`],
    gateway: `${net}.1`,
    mtu: 1400,
    hairpin: true,
  };
  const undo = await links.attach(options);
  const inner = (await links.list(path)).find((link) => link.name === 'eth0');
  assert.deepEqual([inner?.mac, inner?.up, inner?.mtu, inner?.kind], ['02:42:c6:12:00:02', true, 1400, 'veth']);
  assert.deepEqual((await links.addresses(path)).filter((entry) => entry.link === 'eth0'), [{ link: 'eth0', cidr: `${net}.2/24` }]);
  assert.deepEqual(await links.routes(path), [{ destination: 'default', via: `${net}.1`, link: 'eth0' }, { destination: `${net}.0/24`, link: 'eth0' }]);
  const all = await links.list();
  assert.equal(all.find((link) => link.name === hostName)?.master, all.find((link) => link.name === bridge)?.index);
  const { stdout } = await promisify(execFile)('bridge', ['-d', 'link', 'show', 'dev', hostName]);
  assert.match(stdout, /hairpin on/);
  await undo();
  assert.equal((await links.list(path)).length, 1);
  // A second container link, and one whose name is left over from before.
  undos.push(await links.attach(options));
  undos.push(
    await links.attach({
      ...options,
      hostName: `lt${tag}v1`,
      name: 'eth1',
      mac: '02:42:c6:12:00:03',
      addresses: [`${net}.3/24`, 'fd00:1::3/64'],
      hairpin: false,
    }),
  );
  assert.equal((await links.list(path)).length, 3);
  assert.ok((await links.addresses(path)).some((entry) => entry.cidr === 'fd00:1::3/64'));
});

test('retired links are cut off and removed together', async () => {
  const path = join(dir, 'retired');
  undos.push(await netns.create(path));
  const names = [0, 1, 2].map((n) => `lt${tag}r${n}`);
  for (const [n, hostName] of names.entries()) {
    await links.attach({
      netns: path,
      bridge,
      hostName,
      name: `eth${n}`,
      addresses: [`${net}.${50 + n}/24`],
      loopback: { address: '127.0.0.11', via: `${net}.1` },
    });
  }
  assert.equal((await links.list(path)).length, 4);
  await Promise.all([...names, 'nothere'].map((name) => links.retire(name)));
  await links.settle();
  assert.equal((await links.list(path)).length, 1);
});

test('what can’t be attached leaves nothing', async () => {
  const path = join(dir, 'broken');
  undos.push(await netns.create(path));
  const options = { netns: path, bridge, hostName: `lt${tag}x`, name: 'eth0', addresses: [`${net}.9/24`] };
  await assert.rejects(links.attach({ ...options, netns: join(dir, 'nowhere') }), { code: 'not-found' });
  await assert.rejects(links.attach({ ...options, bridge: 'nowhere0' }), { code: 'not-found' });
  await assert.rejects(links.attach({ ...options, gateway: '203.0.113.1' }), { code: 'internal', message: /route by 203\.0\.113\.1/ });
  await assert.rejects(links.attach({ ...options, name: 'much-too-long-a-name' }), { code: 'invalid' });
  assert.equal((await links.list(path)).length, 1);
  assert.ok(!(await links.list()).some((link) => link.name === `lt${tag}x`));
});

test('vxlan with forwarding entries, dummies, routes and neighbours come and go', async () => {
  undos.push(await links.addDummy(`lt${tag}d`, [`198.18.${process.pid % 256}.129/32`]));
  undos.push(await links.addVxlan(`lt${tag}x`, { vni: 7000 + (process.pid % 1000), local: `${net}.129`, mtu: 1350, bridge }));
  const fdb = await links.addFdb({ link: `lt${tag}x`, mac: '02:00:00:00:00:09', remote: `${net}.200` });
  const flood = await links.addFdb({ link: `lt${tag}x`, mac: '00:00:00:00:00:00', remote: `${net}.200` });
  const neighbour = await links.addNeighbour({ link: bridge, address: `${net}.77`, mac: '02:00:00:00:00:09' });
  const route = await links.addRoute({ destination: `198.19.${process.pid % 256}.0/24`, via: `${net}.77`, link: bridge, onLink: true });
  const shown = (await promisify(execFile)('bridge', ['fdb', 'show', 'dev', `lt${tag}x`])).stdout;
  assert.match(shown, new RegExp(`02:00:00:00:00:09 dst ${net}\\.200 self permanent`));
  assert.match(shown, new RegExp(`00:00:00:00:00:00 dst ${net}\\.200 self permanent`));
  assert.ok((await links.routes()).some((entry) => entry.destination === `198.19.${process.pid % 256}.0/24` && entry.via === `${net}.77`));
  for (const undo of [fdb, flood, neighbour, route, route]) await undo();
  assert.doesNotMatch((await promisify(execFile)('bridge', ['fdb', 'show', 'dev', `lt${tag}x`])).stdout, /dst/);
});

test('a link of another kind is not taken over', async () => {
  await assert.rejects(links.addVxlan(bridge, { vni: 1, local: '127.0.0.1' }), { code: 'conflict' });
  await links.remove(`lt${tag}none`);
});
