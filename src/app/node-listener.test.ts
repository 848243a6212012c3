// Every path of a node's own API, as everybody who has a certificate of the cluster and is not its API server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Authority, type Credentials } from '../control-plane/api/pki/authority.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { systemRandom } from '../lib/random.ts';
import { NODE_PATHS } from '../node/agent/server/node-api.ts';
import { nodeListener } from './node-listener.ts';

let folder: string;
let authority: Authority;
let stranger: Authority;
let port: number;
let close: () => void;
/** What got through. */
const seen: string[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ls-node-'));
  authority = await Authority.open(join(folder, 'ours'), systemClock, systemRandom);
  stranger = await Authority.open(join(folder, 'theirs'), systemClock, systemRandom);
  const serving = await authority.issue({ commonName: 'system:node:a', organizations: ['system:nodes'] }, 'server', ['127.0.0.1']);
  const api = createServer((incoming, response) => {
    seen.push(incoming.url!);
    response.end('ok');
  });
  api.on('upgrade', (incoming, socket) => {
    seen.push(incoming.url!);
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  const listener = nodeListener({ ...serving, authority: authority.certificate, api, logger: silentLogger });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  ({ port } = listener.address() as AddressInfo);
  close = () => {
    listener.close();
    listener.closeAllConnections();
  };
});
after(async () => {
  close();
  await rm(folder, { recursive: true });
});

/** The status of an answer; undefined when the connection ended without one. */
function ask(
  path: string,
  upgrade: boolean,
  credentials: Credentials | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      ca: authority.certificate,
      ...(credentials && { cert: credentials.certificate, key: credentials.key }),
      headers: { ...headers, ...(upgrade && { connection: 'Upgrade', upgrade: 'websocket' }) },
    });
    outgoing.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    outgoing.on('error', () => resolve(undefined));
    outgoing.end();
  });
}

test('only the API server gets as far as a request, on every path that is served', async () => {
  const client = (commonName: string, organizations: string[]): Promise<Credentials> => authority.issue({ commonName, organizations }, 'client');
  const turnedAway: readonly (readonly [string, Credentials | undefined, Readonly<Record<string, string>>?])[] = [
    ['nobody in particular', undefined],
    [
      'nobody, with a token and forged names',
      undefined,
      { authorization: 'Bearer admin-token', 'x-remote-user': 'kube-apiserver-kubelet-client', 'x-remote-group': 'system:masters' },
    ],
    ['a user without rights', await client('carol', ['dev'])],
    ['an admin, who has to ask the API server', await client('kubernetes-admin', ['system:masters'])],
    ['another node', await client('system:node:b', ['system:nodes'])],
    ['this node itself', await client('system:node:a', ['system:nodes'])],
    ["the API server's name alone", await client('kube-apiserver-kubelet-client', [])],
    ["the API server's name in another group", await client('kube-apiserver-kubelet-client', ['system:nodes'])],
    ["the API server's name among others", await client('x, CN=kube-apiserver-kubelet-client', ['system:masters'])],
    ["the API server's name on a second line", await client('x\nCN=kube-apiserver-kubelet-client', ['system:masters'])],
    [
      "the API server's name, by another authority",
      await stranger.issue({ commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }, 'client'),
    ],
    [
      "the API server's name, as a server's certificate",
      await authority.issue({ commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }, 'server'),
    ],
  ];
  assert.ok(NODE_PATHS.length >= 7);
  for (const [who, credentials, headers] of turnedAway) {
    for (const path of NODE_PATHS) {
      for (const upgrade of [false, true]) {
        assert.equal(await ask(`/${path}/default/p/c`, upgrade, credentials, headers), undefined, `${who} on ${path}`);
      }
    }
  }
  assert.deepEqual(seen, []);
  const api = await client('kube-apiserver-kubelet-client', ['system:masters']);
  for (const path of NODE_PATHS) assert.deepEqual([await ask(`/${path}`, false, api), await ask(`/${path}`, true, api)], [200, 101]);
});
