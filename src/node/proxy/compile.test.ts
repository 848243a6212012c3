import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { compile, skeleton } from './compile.ts';
import { difference, EMPTY_RULESET } from './ruleset.ts';
import type { ServicePortView } from './service-view.ts';

const view = (overrides: Partial<ServicePortView> = {}): ServicePortView => ({
  id: 'default/web:http/tcp/80', protocol: 'tcp', port: 80, clusterIps: ['10.43.0.20'], externalIps: [], nodePort: undefined,
  affinitySeconds: undefined, internalLocal: false, externalLocal: false, endpoints: [], ...overrides,
});
const a = { address: '10.42.0.2', port: 8080, local: true };
const b = { address: '10.42.1.3', port: 8080, local: false };

test('a Service without endpoints is refused, not blackholed', () => {
  const { chains, elements } = compile([view({ nodePort: 30080 })], '10.42.0.0/16');
  assert.deepEqual([...elements.get('empty-ips')!.keys()], ['10.43.0.20 . tcp . 80']);
  assert.deepEqual([...elements.get('empty-ports')!.keys()], ['tcp . 30080']);
  assert.equal(elements.get('service-ips')!.size, 0);
  assert.equal(chains.size, 0);
});

test('traffic is balanced over all endpoints, and over local ones where the policy says so', () => {
  const all = compile([view({ endpoints: [a, b] })], '10.42.0.0/16');
  assert.match([...all.chains.values()][0]![0]!, /numgen random mod 2 map \{ 0 : 10\.42\.0\.2 \. 8080, 1 : 10\.42\.1\.3 \. 8080 \}/);
  const local = compile([view({ endpoints: [a, b], internalLocal: true })], '10.42.0.0/16');
  assert.deepEqual([...local.chains.values()], [['meta l4proto tcp dnat to 10.42.0.2:8080']]);
});

test('a node port masquerades what comes from outside, but not with externalTrafficPolicy Local', () => {
  const cluster = compile([view({ nodePort: 30080, endpoints: [a, b] })], '10.42.0.0/16');
  const chain = /goto (\S+)/.exec(cluster.elements.get('node-ports')!.get('tcp . 30080')!)![1]!;
  assert.match(cluster.chains.get(chain)![0]!, /mark set/);
  const local = compile([view({ nodePort: 30080, endpoints: [a, b], externalLocal: true })], '10.42.0.0/16');
  const localChain = /goto (\S+)/.exec(local.elements.get('node-ports')!.get('tcp . 30080')!)![1]!;
  assert.equal(local.chains.get(localChain)!.length, 1);
});

test('of two Services that claim one address, the first keeps it', () => {
  const { elements } = compile([view({ endpoints: [a] }), view({ id: 'default/thief:/tcp/80', endpoints: [b] })], '10.42.0.0/16');
  assert.equal(elements.get('service-ips')!.size, 1);
});

test('an update writes what changed and nothing else', () => {
  const before = compile([view({ endpoints: [a] }), view({ id: 'default/other:/tcp/81', port: 81, endpoints: [b] })], '10.42.0.0/16');
  const after = compile([view({ endpoints: [a, b] }), view({ id: 'default/other:/tcp/81', port: 81, endpoints: [b] })], '10.42.0.0/16');
  const script = difference('ip t', before, after);
  assert.equal(script.split('\n').filter((line) => line.startsWith('flush chain')).length, 1);
  assert.doesNotMatch(script, /81/);
  assert.equal(difference('ip t', after, after), '');
});

test('the kernel takes the whole table, each step of a change, and its end', () => {
  const steps = [
    EMPTY_RULESET,
    compile([view({ endpoints: [a, b], nodePort: 30080, externalIps: ['192.0.2.1'] })], '10.42.0.0/16'),
    compile([view({ endpoints: [b], nodePort: 30080, externalLocal: true }), view({ id: 'x', port: 53, protocol: 'udp', endpoints: [a] })], '10.42.0.0/16'),
    compile([view({ nodePort: 30080 })], '10.42.0.0/16'),
    EMPTY_RULESET,
  ];
  const script = steps.slice(1).reduce((text, step, at) => text + difference('ip t', steps[at]!, step), skeleton('ip t', '10.42.0.0/16', '10.43.0.0/16'));
  const result = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: script, encoding: 'utf8' });
  assert.equal(result.stderr, '');
  assert.equal(result.status, 0);
});
