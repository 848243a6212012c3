// Ways around authorisation that are spelled so that whoever authorises reads one thing, and whoever serves another.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { duplexPair, type Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import type { PolicyRule } from '../authz/rbac-types.ts';
import { serve, type Served } from '../server.test-helper.ts';

const NS = '/api/v1/namespaces/default';
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
type Headers = Readonly<Record<string, string | string[]>>;

let served: Served;
/** Requests that reached the node. */
const reached: string[] = [];

before(async () => {
  const node = createServer((request, response) => {
    reached.push(`${request.method} ${request.url}`);
    response.end('ok');
  });
  node.on('upgrade', (request, socket: Duplex) => {
    reached.push(`${request.method} ${request.url}`);
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  served = await serve({
    connectNode: () => {
      const [ours, theirs] = duplexPair();
      node.emit('connection', theirs);
      return ours;
    },
  });
  await served.make(`${NS}/serviceaccounts`, { metadata: { name: 'default' } });
  await served.make('/api/v1/nodes', { metadata: { name: 'node-a' } });
  for (const name of ['mine', 'theirs']) await served.make(`${NS}/secrets`, { metadata: { name }, data: {} });
  for (const [name, nodeName] of [
    ['p', 'node-a'],
    ['q', 'node-b'],
  ]) {
    await served.make(`${NS}/pods`, { metadata: { name }, spec: { nodeName, containers: [{ name: 'c', image: 'i' }] } });
  }
});
after(() => served.close());

let grants = 0;
/** Gives the user `nobody` rights in the namespace `default` until the test is over. */
async function grant(rules: readonly PolicyRule[], cluster = false): Promise<() => Promise<void>> {
  const name = `grant-${grants++}`;
  const root = cluster ? '/apis/rbac.authorization.k8s.io/v1' : RBAC;
  const [role, binding, kind] = cluster ? ['clusterroles', 'clusterrolebindings', 'ClusterRole'] : ['roles', 'rolebindings', 'Role'];
  await served.make(`${root}/${role}`, { metadata: { name }, rules });
  await served.make(`${root}/${binding}`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }],
  });
  return async () => {
    assert.equal((await served.call('DELETE', `${root}/${binding}/${name}`)).status, 200);
  };
}

/** The status of a request with an Upgrade header, sent as `nobody`. */
async function upgrade(method: string, path: string): Promise<number> {
  const socket = connectTls({ host: '127.0.0.1', port: served.api.port, ca: served.api.authority.certificate, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  socket.on('error', () => {}); // It is cut off after the answer.
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody-token\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${method === 'GET' ? '' : 'Content-Length: 0\r\n'}\r\n`,
  );
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'close');
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]);
}

describe('field selectors', () => {
  test('a comma that is escaped ends no term: a right to one name opens no list of all', async () => {
    const revoke = await grant([{ verbs: ['list', 'watch'], apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'] }]);
    const list = (selector: string): Promise<{ status: number; text: string }> =>
      served.call('GET', `${NS}/secrets?fieldSelector=${encodeURIComponent(selector)}`, { token: 'nobody-token' });
    const own = await list('metadata.name=mine');
    assert.equal(own.status, 200);
    assert.doesNotMatch(own.text, /theirs/);
    for (const selector of [
      'type!=x\\,metadata.name=mine', 'metadata.namespace!=x\\,metadata.name=mine', 'type!=\\\\\\,metadata.name=mine', 'metadata.name!=x\\,metadata.name=mine',
      'metadata.name!=mine', 'xmetadata.name=mine', 'metadata.name=', 'metadata.name', 'metadata.name=theirs', '',
    ]) {
      for (const more of ['', '&watch=1']) {
        const answer = await served.call('GET', `${NS}/secrets?fieldSelector=${encodeURIComponent(selector)}${more}`, {
          token: 'nobody-token',
          headOnly: true,
        });
        assert.equal(answer.status, 403, `${selector}${more}`);
      }
    }
    assert.equal(
      (
        await served.call('GET', `${NS}/secrets?fieldSelector=metadata.name%3Dtheirs&fieldSelector=metadata.name%3Dmine`, {
          token: 'nobody-token',
        })
      ).status,
      403,
      'the first of two counts, for both readers',
    );
    assert.doesNotMatch((await list('metadata.name=mine,metadata.name!=x')).text, /theirs/);
    await revoke();
  });

  test('nor does a node see the pods of another', async () => {
    for (const selector of [
      'metadata.namespace!=x\\,spec.nodeName=node-a',
      'spec.nodeName!=x\\,spec.nodeName=node-a',
      'spec.nodeName==node-b',
      'spec.nodeName=node-b',
    ]) {
      assert.equal(
        (await served.call('GET', `/api/v1/pods?fieldSelector=${encodeURIComponent(selector)}`, { token: 'node-a-token' })).status,
        403,
        selector,
      );
    }
    const own = await served.call('GET', '/api/v1/pods?fieldSelector=metadata.namespace!%3Dx,spec.nodeName%3D%3Dnode-a', { token: 'node-a-token' });
    assert.deepEqual(own.json<{ items: { metadata: { name: string } }[] }>().items.map((pod) => pod.metadata.name), ['p']);
  });
});

describe('verbs', () => {
  test('whoever may only look at pods runs nothing in them, whatever the method and the path', async () => {
    const revoke = await grant([{ verbs: ['get', 'list', 'watch', 'update', 'patch', 'delete', 'deletecollection'], apiGroups: [''], resources: ['*'] }]);
    const before = reached.length;
    for (const root of ['/api/v1', '/api/v1/watch']) {
      for (const what of ['exec?container=c&command=id', 'attach?container=c', 'portforward?ports=80']) {
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']) {
          assert.equal(await upgrade(method, `${root}/namespaces/default/pods/p/${what}`), 403, `${method} ${root} ${what}`);
        }
      }
    }
    assert.equal(reached.length, before, 'and the node heard nothing');
    await revoke();
    const all = await grant([{ verbs: ['*'], apiGroups: [''], resources: ['*'] }]);
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      assert.equal(await upgrade(method, `${NS}/pods/p/exec?container=c&command=id`), 405, method);
    }
    assert.equal(await upgrade('GET', '/api/v1/watch/namespaces/default/pods/p/exec?container=c&command=id'), 404);
    assert.equal(await upgrade('GET', `${NS}/pods/p/exec?container=c&command=id`), 101, 'the right itself works');
    await all();
  });

  test("an upgrade through a node's proxy is a write: reading statistics is no right to run commands", async () => {
    const revoke = await grant([{ verbs: ['get'], apiGroups: [''], resources: ['nodes/proxy'] }], true);
    assert.equal((await served.call('GET', '/api/v1/nodes/node-a/proxy/stats/summary', { token: 'nobody-token' })).status, 200);
    const before = reached.length;
    assert.equal(await upgrade('GET', '/api/v1/nodes/node-a/proxy/exec/default/p/c?command=id&output=1'), 403);
    assert.equal(await upgrade('POST', '/api/v1/nodes/node-a/proxy/exec/default/p/c?command=id&output=1'), 403);
    assert.equal(reached.length, before);
    await revoke();
    const create = await grant([{ verbs: ['get', 'create'], apiGroups: [''], resources: ['nodes/proxy'] }], true);
    assert.equal(await upgrade('GET', '/api/v1/nodes/node-a/proxy/exec/default/p/c?command=id&output=1'), 101);
    await create();
  });

  test('the old paths of watches watch, and do nothing else', async () => {
    for (const [method, path] of [
      ['POST', '/pods'],
      ['DELETE', '/pods/p'],
      ['PUT', '/pods/p'],
      ['PATCH', '/pods/p'],
      ['DELETE', '/pods'],
    ] as const) {
      const answer = await served.call(method, `/api/v1/watch/namespaces/default${path}`, {
        body: {},
        type: method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      });
      assert.equal(answer.status, 405, `${method} ${path}`);
    }
    const revoke = await grant([{ verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets'] }]);
    assert.equal((await served.call('GET', '/api/v1/watch/namespaces/default/secrets/mine', { token: 'nobody-token', headOnly: true })).status, 403);
    assert.equal((await served.call('GET', `${NS}/secrets?watch=true`, { token: 'nobody-token', headOnly: true })).status, 403);
    assert.equal(
      (await served.call('GET', `${NS}/secrets?watch=anything`, { token: 'nobody-token', headOnly: true })).status,
      403,
      'whatever is neither false nor 0 is true',
    );
    assert.equal((await served.call('GET', `${NS}/secrets?watch=0`, { token: 'nobody-token' })).status, 200);
    await revoke();
  });

  test('a method that is put on in a header or a query stays what it was', async () => {
    const revoke = await grant([{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]);
    for (const name of ['x-http-method-override', 'x-method-override']) {
      assert.equal(
        (await served.call('GET', `${NS}/secrets/mine?_method=DELETE`, { token: 'nobody-token', headers: { [name]: 'DELETE' } })).status,
        200,
      );
    }
    assert.equal((await served.call('GET', `${NS}/secrets/mine`)).status, 200, 'it is still there');
    assert.equal(
      (await served.call('POST', `${NS}/secrets/mine`, { token: 'nobody-token', body: {}, headers: { 'x-http-method-override': 'GET' } }))
        .status,
      403,
    );
    await revoke();
  });
});

describe('identities', () => {
  const whoami = (token: string, headers: Headers): ReturnType<Served['call']> =>
    served.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { token, body: {}, headers });

  test('any part of an identity that is put on needs a user, and the right to be them', async () => {
    for (const headers of [
      { 'impersonate-extra-scope': 'x' },
      { 'impersonate-group': 'system:masters' },
      { 'impersonate-uid': '1' },
    ] as Headers[]) {
      assert.equal((await whoami('admin-token', headers)).status, 400, JSON.stringify(headers));
    }
    for (const headers of [
      { 'impersonate-user': 'admin' },
      { 'impersonate-user': 'system:admin', 'impersonate-group': 'system:masters' },
      { 'impersonate-user': 'nobody' },
      { 'impersonate-user': 'system:serviceaccount:kube-system:default' },
      { 'impersonate-user': 'nobody', 'impersonate-uid': '1' },
      { 'impersonate-user': 'system:node:node-a', 'impersonate-group': 'system:nodes' },
    ] as Headers[])
      assert.equal((await whoami('nobody-token', headers)).status, 403, JSON.stringify(headers));
  });

  test('a right to one part is none to another', async () => {
    const revoke = await grant(
      [
        { verbs: ['impersonate'], apiGroups: [''], resources: ['users'] },
        { verbs: ['impersonate'], apiGroups: ['authentication.k8s.io'], resources: ['userextras/scopes'], resourceNames: ['read'] },
      ],
      true,
    );
    assert.equal((await whoami('nobody-token', { 'impersonate-user': 'dave' })).status, 201);
    assert.equal((await whoami('nobody-token', { 'impersonate-user': 'dave', 'impersonate-extra-scopes': 'read' })).status, 201);
    for (const headers of [
      { 'impersonate-extra-scopes': ['read', 'write'] },
      { 'impersonate-extra-other': 'read' },
      { 'impersonate-group': 'system:masters' },
      { 'impersonate-group': ['', 'system:masters'] },
      { 'impersonate-uid': '1' },
    ] as Headers[]) {
      assert.equal((await whoami('nobody-token', { 'impersonate-user': 'dave', ...headers })).status, 403, JSON.stringify(headers));
    }
    assert.equal((await whoami('nobody-token', { 'impersonate-user': 'system:serviceaccount:default:default' })).status, 403, 'an account is no user');
    await revoke();
  });

  test('so it is over HTTP/2, and what a proxy would have vouched for is nothing', async () => {
    const session = connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate });
    try {
      const status = async (headers: Headers): Promise<unknown> => {
        const stream = session.request({ ':path': `${NS}/secrets`, ...headers });
        const [answer] = await once(stream, 'response') as [Record<string, unknown>];
        stream.resume();
        return answer[':status'];
      };
      assert.equal(await status({ authorization: 'Bearer admin-token' }), 200);
      assert.equal(await status({ authorization: 'Bearer admin-token', 'impersonate-user': 'dave' }), 403);
      assert.equal(await status({ authorization: 'Bearer admin-token', 'impersonate-extra-x': 'y' }), 400);
      assert.equal(
        await status({ authorization: 'Bearer nobody-token', 'impersonate-user': 'admin', 'impersonate-group': 'system:masters' }),
        403,
      );
      for (const forged of [
        { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' },
        { 'x-forwarded-user': 'admin' },
        { 'x-forwarded-client-cert': 'Subject="CN=admin,O=system:masters"' },
      ] as Headers[]) {
        assert.equal(await status(forged), 403, JSON.stringify(forged));
      }
    } finally {
      session.close();
    }
  });
});
