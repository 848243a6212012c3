import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import { connect as connectTls, createServer as createTls, type TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import type { Status } from '../../../types/kubernetes/status.ts';
import { serve, type Served } from '../server.test-helper.ts';
import { isProxyable, splitName } from './proxy-target.ts';

let served: Served;
let node: Server;
/** What the node was asked, newest last. */
const asked: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];

before(async () => {
  node = createServer((request, response) => {
    asked.push({ method: request.method!, url: request.url!, headers: request.headers });
    if (request.url!.startsWith('/containerLogs/default/p/broken')) {
      response.writeHead(400).end('container "broken" in pod "p" is waiting to start: ContainerCreating\n');
    } else if (request.url!.startsWith('/containerLogs/default/p/moved')) {
      response.writeHead(302, { location: 'https://elsewhere.example.com/' }).end();
    } else if (request.url!.includes('follow=true')) {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('line 1\n');
      setTimeout(() => response.end('line 2\n'), 20);
    } else if (request.method === 'POST') { request.pipe(response); }
    else { response.writeHead(200, { 'content-type': 'text/plain', 'x-node': 'yes' }).end(`node says ${request.url!}\n`); }
  });
  node.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    asked.push({ method: request.method!, url: request.url!, headers: request.headers });
    if (request.url!.includes('command=refuse')) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nrefused');
      return;
    }
    if (request.url!.includes('command=redirect')) {
      socket.end('HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example.com/\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade!}\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nhello `,
    );
    socket.on('data', (chunk: Buffer) => {
      if (chunk.toString() === 'bye') socket.end();
      else socket.write(chunk.toString().toUpperCase());
    });
    if (head.length > 0) socket.write(head.toString().toUpperCase());
    socket.on('error', () => socket.destroy());
  });
  served = await serve({
    connectNode: (name) => {
      if (name !== 'local') return undefined;
      const [ours, theirs] = duplexPair();
      node.emit('connection', theirs);
      return ours;
    },
  });
  await served.make('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  await served.make('/api/v1/nodes', { metadata: { name: 'local' } });
  const pod = (name: string, extra: object): Promise<unknown> =>
    served.make('/api/v1/namespaces/default/pods', {
      metadata: { name },
      spec: {
        containers: [
          { name: 'c', image: 'i' },
          { name: 'broken', image: 'i' },
          { name: 'moved', image: 'i' },
        ],
        ...extra,
      },
    });
  await pod('p', { nodeName: 'local' });
  await pod('waiting', {});
});
after(async () => {
  await served.close();
  node.close();
});

const POD = '/api/v1/namespaces/default/pods/p';

describe('logs', () => {
  test('come from the pod’s node, with the kubelet’s parameters', async () => {
    const answer = await served.call('GET', `${POD}/log?container=c&tailLines=5&timestamps=true&previous=false`, {
      headers: { 'x-remote-user': 'admin', 'impersonate-user': 'other', 'impersonate-group': 'system:masters', cookie: 'kept=1' },
    });
    assert.deepEqual(
      [answer.status, answer.text, answer.headers['content-type']],
      [200, 'node says /containerLogs/default/p/c?timestamps=true&tailLines=5\n', 'text/plain'],
    );
    const { headers } = asked.at(-1)!;
    assert.deepEqual(
      [headers.authorization, headers['impersonate-user'], headers['x-remote-user'], headers.cookie],
      [undefined, undefined, undefined, 'kept=1'],
      'credentials end here',
    );
  });

  test('follow as they are written', async () => {
    assert.equal((await served.call('GET', `${POD}/log?container=c&follow=true`)).text, 'line 1\nline 2\n');
  });

  test('refusals name what is wrong', async () => {
    const message = async (path: string): Promise<[number, string]> => {
      const answer = await served.call('GET', path);
      return [answer.status, answer.json<Status>().message ?? ''];
    };
    assert.deepEqual(await message(`${POD}/log`), [400, 'a container name must be specified for pod p, choose one of: [c broken moved]']);
    assert.deepEqual(await message(`${POD}/log?container=x`), [400, 'container x is not valid for pod p']);
    assert.deepEqual(await message(`${POD}/log?container=broken`), [400, 'container "broken" in pod "p" is waiting to start: ContainerCreating']);
    assert.deepEqual(await message(`${POD}/log?container=moved`), [502, 'the node answered with a redirect, which is not followed']);
    assert.deepEqual(await message(`${POD}/log?container=c&tailLines=-1`), [
      422,
      'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ]);
    assert.equal((await message(`${POD}/log?container=c&sinceSeconds=5&sinceTime=2024-01-01T00:00:00Z`))[0], 422);
    assert.equal((await message(`${POD}/log?container=c&tailLines=x`))[0], 400);
    const unbound = await served.call('GET', '/api/v1/namespaces/default/pods/waiting/log?container=c');
    assert.deepEqual([unbound.status, unbound.text], [204, '']);
    assert.deepEqual(await message('/api/v1/namespaces/default/pods/none/log'), [404, 'pods "none" not found']);
  });
});

/** A connection of its own, in HTTP/1.1. */
async function open(): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: served.api.port, ca: served.api.authority.certificate, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  socket.on('error', () => {}); // Its end is what tests look at.
  return socket;
}

/** Collects until the text matches or the other side is done. */
function until(socket: Socket, pattern: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const finish = (): void => {
      socket.off('data', onData);
      resolve(text);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (pattern.test(text)) finish();
    };
    socket.on('data', onData);
    socket.once('close', finish);
  });
}

const NEVER = /(?!)/;
const head = (method: string, path: string, token: string, upgrade: string): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n${method === 'POST' ? 'Content-Length: 0\r\n' : ''}\r\n`;

describe('upgrades', () => {
  test('exec over SPDY: headers and bytes both ways, untouched', async () => {
    const socket = await open();
    socket.write(head('POST', `${POD}/exec?container=c&command=sh&command=-c&command=a%20b&stdin=true&stdout=true&tty=true`, 'admin-token', 'SPDY/3.1'));
    const first = await until(socket, /hello $/);
    assert.match(
      first,
      /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY\/3\.1\r\nX-Stream-Protocol-Version: v4\.channel\.k8s\.io\r\n\r\nhello $/,
    );
    assert.equal(asked.at(-1)!.url, '/exec/default/p/c?input=1&output=1&tty=1&command=sh&command=-c&command=a%20b');
    assert.equal(asked.at(-1)!.headers['x-stream-protocol-version'], 'v4.channel.k8s.io');
    socket.write('abc');
    assert.equal(await until(socket, /ABC/), 'ABC');
    const closed = once(socket, 'close');
    socket.write('bye');
    await closed;
  });

  test('port-forward and attach, over WebSocket', async () => {
    for (const [path, url] of [
      [`${POD}/portforward?ports=80,81`, '/portForward/default/p?port=80&port=81'],
      [`${POD}/attach?container=c&stdout=1`, '/attach/default/p/c?output=1'],
    ] as const) {
      const socket = await open();
      socket.write(head('GET', path, 'admin-token', 'websocket'));
      assert.match(await until(socket, /hello $/), /^HTTP\/1\.1 101 /);
      assert.equal(asked.at(-1)!.url, url);
      socket.destroy();
    }
  });

  test('a failed upgrade is an answer, and the connection ends: a second request on it reaches nobody', async () => {
    for (const [command, status] of [['refuse', 403], ['redirect', 502]] as const) {
      const socket = await open();
      const before = asked.length;
      socket.write(head('POST', `${POD}/exec?container=c&command=${command}`, 'admin-token', 'SPDY/3.1'));
      socket.write(`GET /containerLogs/default/p/c HTTP/1.1\r\nHost: x\r\n\r\nDELETE ${POD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
      const text = await until(socket, NEVER);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.doesNotMatch(text, /HTTP\/1\.1 200/);
      assert.ok(socket.readableEnded || socket.destroyed);
      assert.equal(asked.length, before + 1, 'the node saw the one request');
    }
    assert.equal((await served.call('GET', POD)).status, 200);
  });

  test('exec by WebSocket GET needs the right to create, not to get', async () => {
    const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    await served.make(`${RBAC}/roles`, {
      metadata: { name: 'exec' },
      rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods', 'pods/exec', 'pods/attach', 'pods/portforward'] }],
    });
    await served.make(`${RBAC}/rolebindings`, {
      metadata: { name: 'exec' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'exec' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'nobody' }],
    });
    for (const [method, path] of [
      ['GET', `${POD}/exec?container=c&command=id`],
      ['GET', `${POD}/portforward`],
      ['GET', `${POD}/attach?container=c`],
      ['POST', `${POD}/exec?container=c&command=id`],
    ] as const) {
      const socket = await open();
      socket.write(head(method, path, 'nobody-token', 'websocket'));
      const text = await until(socket, NEVER);
      assert.match(text, /^HTTP\/1\.1 403 /, `${method} ${path}`);
      assert.match(text, /cannot create resource \\"pods\/(exec|attach|portforward)\\"/);
    }
    const log = await served.call('GET', `${POD}/log?container=c`, { token: 'nobody-token' });
    assert.equal(log.status, 403);
  });

  test('without an upgrade it is refused', async () => {
    const answer = await served.call('POST', `${POD}/exec?container=c&command=id`, { body: {} });
    assert.deepEqual([answer.status, answer.json<Status>().message], [400, 'Upgrade request required']);
    assert.equal((await served.call('GET', `${POD}/portforward?ports=0`)).status, 400);
  });
});

describe('nodes elsewhere', () => {
  test('are reached at their address, over TLS, as the API server', async () => {
    const names = ['127.0.0.1'];
    const serving = await served.api.authority.issue({ commonName: 'system:node:remote', organizations: ['system:nodes'] }, 'server', names);
    let subject: unknown;
    const listener = createTls(
      { key: serving.key, cert: serving.certificate, ca: served.api.authority.certificate, requestCert: true, rejectUnauthorized: true },
      (socket) => {
        subject = socket.getPeerCertificate().subject;
        node.emit('connection', socket);
      },
    );
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    const { port } = listener.address() as AddressInfo;
    await served.make('/api/v1/nodes', { metadata: { name: 'remote' }, status: {} });
    await served.call('PATCH', '/api/v1/nodes/remote/status', {
      type: 'application/merge-patch+json',
      body: { status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }], daemonEndpoints: { kubeletEndpoint: { Port: port } } } },
    });
    const moved = await served.call('GET', '/api/v1/nodes/remote/proxy?only=cpu');
    assert.deepEqual([moved.status, moved.headers.location], [301, '/api/v1/nodes/remote/proxy/?only=cpu']);
    const answer = await served.call('GET', '/api/v1/nodes/remote/proxy/stats/summary?only=cpu');
    assert.deepEqual([answer.text, answer.headers['x-node']], ['node says /stats/summary?only=cpu\n', 'yes']);
    assert.deepEqual({ ...subject as object }, { O: 'system:masters', CN: 'kube-apiserver-kubelet-client' });
    assert.equal((await served.call('POST', '/api/v1/nodes/remote/proxy/echo', { body: 'there and back', type: 'text/plain' })).text, 'there and back');
    listener.close();
    const gone = await served.call('GET', '/api/v1/nodes/nowhere/proxy/');
    assert.equal(gone.status, 404);
  });

  test('a node that does not answer is an error of ours, soon', async () => {
    const dead = createTcp();
    await once(dead.listen(0, '127.0.0.1'), 'listening');
    const { port } = dead.address() as AddressInfo;
    dead.close();
    await served.call('PATCH', '/api/v1/nodes/remote/status', {
      type: 'application/merge-patch+json',
      body: { status: { daemonEndpoints: { kubeletEndpoint: { Port: port } } } },
    });
    const answer = await served.call('GET', '/api/v1/nodes/remote/proxy/');
    assert.equal(answer.status, 500);
    assert.match(answer.json<Status>().message ?? '', /^error dialing backend: connect ECONNREFUSED/);
  });
});

describe('proxies to pods and services', () => {
  test('never to ourselves or to what a cloud hides', () => {
    for (const address of [
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '169.254.169.254',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      '::',
      'fe80::1',
      'ff02::1',
      '::ffff:127.0.0.1',
      '0:0:0:0:0:0:0:1',
      '0:0::ffff:7f00:1',
      '0:0:0:0:0:ffff:127.0.0.1',
      'fe80::1%lo',
      '',
      'localhost',
    ]) {
      assert.equal(isProxyable(address), false, address);
    }
    for (const address of ['10.0.0.1', '192.168.1.1', '2001:db8::1', 'fd00::1']) assert.equal(isProxyable(address), true, address);
  });

  test('names in their three forms', () => {
    assert.deepEqual(splitName('web'), { scheme: 'http', name: 'web', port: '' });
    assert.deepEqual(splitName('web:8080'), { scheme: 'http', name: 'web', port: '8080' });
    assert.deepEqual(splitName('https:web:443'), { scheme: 'https', name: 'web', port: '443' });
    assert.deepEqual(splitName('https:web:'), { scheme: 'https', name: 'web', port: '' });
    assert.throws(() => splitName('ftp:web:21'));
    assert.throws(() => splitName('a:b:c:d'));
  });

  test('a pod on loopback is not reached, a climbing path leads nowhere', async () => {
    await served.call('PATCH', `${POD}/status`, {
      type: 'application/merge-patch+json',
      body: { status: { podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] } },
    });
    const self = await served.call('GET', `/api/v1/namespaces/default/pods/p:${served.api.port}/proxy/`);
    assert.deepEqual([self.status, self.json<Status>().message], [400, 'address not allowed']);
    for (const path of ['..', '%2e%2e', 'a/../../b', 'a/%2e%2e%2fb', '.']) {
      assert.equal((await served.call('GET', `/api/v1/nodes/local/proxy/${path}`)).status, 404, path);
    }
    const odd = await served.call('GET', '/api/v1/nodes/local/proxy/a%20b//c%2fd/?q=%2e%2e');
    assert.equal(odd.text, 'node says /a%20b//c%2fd/?q=%2e%2e\n', 'what does not climb goes on as it came');
  });

  test('a service without endpoints', async () => {
    await served.make('/api/v1/namespaces/default/services', { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } });
    const answer = await served.call('GET', '/api/v1/namespaces/default/services/s/proxy/');
    assert.deepEqual([answer.status, answer.json<Status>().message], [503, 'no endpoints available for service "s"']);
  });
});
