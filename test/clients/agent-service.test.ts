/** `longshore agent` as people use it: in the background of a machine (a network namespace) of its own, and what it says when it can't. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { homeAt, releaseRange, type Home } from '../../src/app/home.ts';
import type { DaemonStatus } from '../../src/app/status.ts';
import { UndoStack } from '../../src/lib/undo.ts';
import { pod, runClient, startTestDaemon, type Ran, type TestDaemon } from './platform.ts';
import { openLink, type Link } from './second-node.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const undo = new UndoStack();
let link: Link;
let server: TestDaemon;
let home: Home;
let url: string;
let joining: { readonly token: string; readonly caHash: string };

/** The command on the second machine. */
function there(...words: string[]): Promise<Ran> {
  const [file, args] = link.inside(process.execPath, MAIN, ...words);
  return runClient(file, args, { LONGSHORE_HOME: home.root });
}

async function ok(...words: string[]): Promise<Ran> {
  const ran = await there(...words);
  assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stderr}`);
  return ran;
}

before(async () => {
  link = await openLink();
  undo.push(() => link.close());
  server = await startTestDaemon({ environment: { LONGSHORE_LISTEN: '0.0.0.0' } });
  undo.push(() => server.close());
  home = homeAt(await mkdtemp('/tmp/lsk-'));
  undo.push(async () => {
    await there('down');
    await releaseRange(home);
    await rm(home.root, { recursive: true, force: true });
  });
  url = `https://${link.serverAddress}:${server.config.apiPort}`;
  const made = await runClient(process.execPath, [MAIN, 'token', '-o', 'json'], { LONGSHORE_HOME: server.home.root });
  assert.equal(made.code, 0, made.stderr);
  joining = JSON.parse(made.stdout) as typeof joining;
});

after(() => undo.run());

test('who can not join hears why, and what to do', async () => {
  const { token, caHash } = joining;
  const without = await there('agent', '--name', 'node2');
  assert.match(without.stderr, /has not joined a cluster yet[^]*longshore token/);
  assert.equal(without.code, 1);

  const wrongToken = await there('agent', '--name', 'node2', '--server', url, '--token', 'abcdef.0123456789abcdef', '--ca-hash', caHash);
  assert.match(wrongToken.stderr, /does not know the token: it is mistyped, or older than 24 hours[^]*longshore token/);
  assert.equal(wrongToken.code, 4);

  const wrongHash = await there('agent', '--name', 'node2', '--server', url, '--token', token, '--ca-hash', `sha256:${'0'.repeat(64)}`);
  assert.match(wrongHash.stderr, /does not show a certificate authority with the hash sha256:0000[^]*longshore token/);
  assert.equal(wrongHash.code, 4);

  const nobody = await there('agent', '--name', 'node2', '--server', `https://${link.serverAddress}:1`, '--token', token, '--ca-hash', caHash);
  assert.match(nobody.stderr, /can't be reached from this machine: [^]*ECONNREFUSED[^]*--listen ADDRESS/);
  assert.equal(nobody.code, 1);
  assert.equal((await there('status')).code, 3);
});

test('a node starts in the background, is Ready when the command ends, and tells of itself', async () => {
  const { token, caHash } = joining;
  const { stderr } = await ok('agent', '--server', url, '--token', token, '--ca-hash', caHash, '--name', 'node2', '--address', link.nodeAddress);
  assert.match(stderr, /✓ join https:[^]*✓ node [^]*api server \d+ ms, engine \d+ ms, node \d+ ms, ready \d+ ms[^]*the node node2 of https:\S+ is Ready/);
  assert.equal(await server.ok('get', 'node', 'node2', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'), 'True');

  const status = JSON.parse((await ok('status', '-o', 'json')).stdout) as DaemonStatus;
  assert.deepEqual({ node: status.node, api: status.api, nodeAddress: status.nodeAddress }, { node: 'node2', api: url, nodeAddress: link.nodeAddress });
  assert.match((await ok('status')).stdout, /node +node2\nof cluster +https:/);
  assert.ok(!(await readFile(`/proc/${status.pid}/cmdline`, 'utf8')).includes(token), 'the token is in no command line');
  // Of its own session, so that no terminal takes it along.
  assert.equal((await runClient('ps', ['-o', 'sid=', '-p', String(status.pid)], {})).stdout.trim(), String(status.pid));
  assert.match((await ok('doctor')).stdout, /✓ cluster: this machine is the node node2 of https:\S+, Ready; its certificate is good until/);
  assert.match((await ok('agent')).stderr, /it runs already[^]*node2 of \S+ is Ready/);
  assert.match((await there('up')).stderr, /a node of another cluster \(node2\) runs in/);
  assert.match((await there('token')).stderr, /a node \(node2\) runs in [^]*Run it on the cluster's server/);
});

test('down ends its pods and leaves nothing; started again without a token and an address, it is the same node', async () => {
  await server.apply(pod('guest', { command: ['sleep', '1000'] }, { nodeName: 'node2', tolerations: [{ operator: 'Exists' }] }));
  const { id } = JSON.parse(await readFile(home.configFile, 'utf8')) as { id: string };
  await ok('down');
  assert.equal((await there('status')).code, 3);
  assert.match((await there('doctor')).stdout, /! cluster: [^\n]* and its agent does not run\n +→ Start it with: longshore agent/);
  assert.match((await there('up')).stderr, /belongs to a node of another cluster, node2/);
  const [file, args] = link.inside('sh', '-c', 'ip -o link; nft list tables; cat /proc/self/mounts; ps -eo args');
  const left = (await runClient(file, args, {})).stdout
    .split('\n')
    .filter((line) => [`ls${id.slice(0, 4)}`, id, `${home.root}/`].some((mark) => line.includes(mark)));
  assert.deepEqual(left, []);

  assert.match((await ok('agent')).stderr, /the node node2 of /);
  assert.equal((JSON.parse((await ok('status', '-o', 'json')).stdout) as DaemonStatus).nodeAddress, link.nodeAddress);
  await server.ok('delete', 'pod', 'guest', '--timeout=30s', '--grace-period=1');
  await ok('down');
});

test('a server of another authority, and none at all, are told apart', async () => {
  const file = join(home.pki, 'node.json');
  const kept = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
  await writeFile(file, JSON.stringify({ ...kept, server: `https://${link.serverAddress}:1` }));
  assert.match((await there('agent')).stderr, /can't be reached from this machine/);
  const made = await runClient(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=other',
      '-addext',
      `subjectAltName=IP:${link.serverAddress}`,
      '-keyout',
      join(home.root, 'other.key'),
      '-out',
      join(home.root, 'other.crt'),
    ],
    {},
  );
  assert.equal(made.code, 0, made.stderr);
  const other = createServer({ key: await readFile(join(home.root, 'other.key')), cert: await readFile(join(home.root, 'other.crt')) });
  await new Promise<void>((resolve) => other.listen(0, link.serverAddress, resolve));
  try {
    await writeFile(file, JSON.stringify({ ...kept, server: `https://${link.serverAddress}:${(other.address() as AddressInfo).port}` }));
    assert.match((await there('agent')).stderr, /is not the server that this node joined: its certificate comes from another authority[^]*uninstall/);
  } finally {
    other.close();
    other.closeAllConnections();
    await writeFile(file, JSON.stringify(kept));
  }
});
