// The node's API in a cluster of another API server: everybody with a certificate of its clients' authority, as far as that server says.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Transport } from '../client/transport.ts';
import { Authority } from '../control-plane/api/pki/authority.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { systemRandom } from '../lib/random.ts';
import type { SubjectAccessReview } from '../types/kubernetes/generated/authorization-v1.ts';
import { createNodeAuthorizer, selfSigned } from './node-authorizer.ts';
import { nodeListener } from './node-listener.ts';

test('who may do what is asked of the API server, once, for the subresource that the path stands for', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ls-node-'));
  t.after(() => rm(folder, { recursive: true }));
  const authority = await Authority.open(folder, systemClock, systemRandom);
  const asked: string[] = [];
  const transport = {
    create: (_resource: unknown, _namespace: unknown, { spec }: SubjectAccessReview) => {
      const { name, resource, subresource, verb } = spec.resourceAttributes!;
      asked.push(`${spec.user} ${spec.groups?.join('+')} ${verb} ${resource}/${subresource} ${name}`);
      return Promise.resolve({ spec, status: { allowed: spec.user === 'api' || subresource === 'stats' } });
    },
  } as unknown as Transport;
  const api = createServer((_, response) => response.end('ok'));
  api.on('upgrade', (_, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'));
  const authorize = createNodeAuthorizer({ transport, nodeName: 'a', clock: systemClock });
  const listener = nodeListener({ ...(await selfSigned('a', '127.0.0.1')), authority: authority.certificate, api, logger: silentLogger, authorize });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    listener.close();
    listener.closeAllConnections();
  });
  const { port } = listener.address() as AddressInfo;
  const [server, reader] = await Promise.all(['api', 'reader'].map((commonName) => authority.issue({ commonName, organizations: ['g'] }, 'client')));
  const ask = (path: string, credentials: typeof server, upgrade = false): Promise<number | undefined> => new Promise((resolve) => {
    const outgoing = request({
      host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false, ...(credentials && { cert: credentials.certificate, key: credentials.key }),
      ...(upgrade && { headers: { connection: 'Upgrade', upgrade: 'websocket' } }),
    });
    outgoing.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    outgoing.on('error', () => resolve(undefined)).end();
  });

  assert.equal(await ask('/exec/default/p/c', undefined), undefined);
  assert.equal(asked.length, 0);
  assert.equal(await ask('/containerLogs/default/p/c?tailLines=1', server), 200);
  assert.equal(await ask('/exec/default/p/c?command=x', server, true), 101);
  assert.deepEqual(asked.splice(0), ['api g+system:authenticated get nodes/proxy a']);
  assert.equal(await ask('/exec/default/p/c', reader, true), 403);
  assert.equal(await ask('//exec/default/p/c', reader), 403);
  assert.equal(await ask('/stats/summary', reader), 200);
  assert.equal(await ask('/pods', reader), 403);
  assert.deepEqual(asked.map((line) => line.replace('reader g+system:authenticated ', '')), ['get nodes/proxy a', 'get nodes/stats a', 'get nodes/pods a']);
});
