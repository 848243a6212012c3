// Watches, HTTP/2, and the connection itself.
import assert from 'node:assert/strict';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { once } from 'node:events';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { Status } from '../../../types/kubernetes/status.ts';
import { serve, type Served } from '../server.test-helper.ts';

let served: Served;
before(async () => {
  served = await serve();
});
after(() => served.close());

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

interface Event {
  readonly type: string;
  readonly object: KubeObject & Status & { readonly rows?: { readonly cells: readonly unknown[] }[]; readonly columnDefinitions?: unknown };
}

/** Reads a watch line by line until `until` says enough, or it ends. */
function watch(path: string, until: (events: readonly Event[]) => boolean, headers: Record<string, string> = {}): Promise<readonly Event[]> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: served.api.port,
        path,
        agent: false,
        ca: served.api.authority.certificate,
        headers: { authorization: 'Bearer admin-token', ...headers },
      },
      (response) => {
        const events: Event[] = [];
        let text = '';
        const finish = (): void => {
          resolve(events);
          request.destroy();
        };
        response.on('data', (chunk: Buffer) => {
          const lines = (text + chunk.toString()).split('\n');
          text = lines.pop()!;
          for (const line of lines) events.push(JSON.parse(line) as Event);
          if (until(events)) finish();
        });
        response.on('end', finish);
        response.on('error', () => finish());
      },
    );
    request.on('error', reject);
    request.end();
  });
}

describe('watches', () => {
  test('the state there is, then what happens, and what leaves the selection', async () => {
    await served.make(CONFIG_MAPS, { metadata: { name: 'w1', labels: { watch: 'a' } } });
    const events = watch(`${CONFIG_MAPS}?watch=1&labelSelector=watch%3Da`, (all) => {
      if (all.length === 1) {
        void served.call('PATCH', `${CONFIG_MAPS}/w1`, { type: 'application/merge-patch+json', body: { data: { x: 'y' } } });
      }
      if (all.length === 2) {
        void served.call('PATCH', `${CONFIG_MAPS}/w1`, {
          type: 'application/merge-patch+json',
          body: { metadata: { labels: { watch: 'b' } } },
        });
      }
      return all.length === 3;
    });
    assert.deepEqual(
      (await events).map((event) => [event.type, event.object.kind, event.object.metadata?.name]),
      [
        ['ADDED', 'ConfigMap', 'w1'],
        ['MODIFIED', 'ConfigMap', 'w1'],
        ['DELETED', 'ConfigMap', 'w1'],
      ],
    );
  });

  test('it ends after timeoutSeconds; a version that never was is answered before it begins', async () => {
    const started = performance.now();
    await watch(`${CONFIG_MAPS}?watch=1&timeoutSeconds=1`, () => false);
    assert.ok(performance.now() - started < 3000);
    const bad = await served.call('GET', `${CONFIG_MAPS}?watch=1&resourceVersion=abc`);
    assert.ok(bad.status === 400 || bad.status === 500, String(bad.status));
    assert.equal((await served.call('GET', `${CONFIG_MAPS}?watch=1&sendInitialEvents=true`)).status, 422);
    assert.equal((await served.call('GET', `${CONFIG_MAPS}?watch=1`, { headers: { accept: 'application/yaml' } })).status, 406);
  });

  test('initial events end with a bookmark', async () => {
    const events = await watch(
      `${CONFIG_MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      (all) => all.some((event) => event.type === 'BOOKMARK'),
    );
    assert.equal(events.at(-1)!.object.metadata?.annotations?.['k8s.io/initial-events-end'], 'true');
  });

  test('as Tables, with the columns in the first event alone', async () => {
    await served.make(CONFIG_MAPS, { metadata: { name: 't1', labels: { table: 'a' } } });
    const events = await watch(
      `${CONFIG_MAPS}?watch=1&labelSelector=table%3Da`,
      (all) => {
        if (all.length === 1) void served.make(CONFIG_MAPS, { metadata: { name: 't2', labels: { table: 'a' } } });
        return all.length === 2;
      },
      { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    );
    assert.deepEqual(
      events.map((event) => [event.object.kind, event.object.columnDefinitions === null, event.object.rows![0]!.cells[0]]),
      [
        ['Table', false, 't1'],
        ['Table', true, 't2'],
      ],
    );
  });

  test('the old paths of watches', async () => {
    const events = await watch('/api/v1/watch/namespaces/default/configmaps/w1', (all) => all.length === 1);
    assert.equal(events[0]!.object.metadata?.name, 'w1');
  });

  test('a client that leaves its watch unread is cut off, and nobody else notices', async () => {
    await served.make(CONFIG_MAPS, { metadata: { name: 'bulky', labels: { bulky: 'y' } } });
    const socket = connectTls({ host: '127.0.0.1', port: served.api.port, ca: served.api.authority.certificate, ALPNProtocols: ['http/1.1'] });
    await once(socket, 'secureConnect');
    socket.on('error', () => {}); // The cut.
    const closed = once(socket, 'close');
    socket.write(`GET ${CONFIG_MAPS}?watch=1&labelSelector=bulky%3Dy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
    socket.pause();
    // Past what the kernel's buffers and our bound of 32 MiB hold together.
    for (let n = 0; n < 60; n++) {
      const answer = await served.call('PATCH', `${CONFIG_MAPS}/bulky`, {
        type: 'application/merge-patch+json',
        body: { data: { text: String(n % 10).repeat(900_000) } },
      });
      assert.equal(answer.status, 200);
    }
    socket.resume();
    await closed;
    assert.equal((await served.call('DELETE', `${CONFIG_MAPS}/bulky`)).status, 200);
  });

  test('a server that stops ends its watches', async () => {
    const other = await serve();
    const ended = new Promise<void>((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port: other.api.port,
          path: '/api/v1/pods?watch=1',
          agent: false,
          ca: other.api.authority.certificate,
          headers: { authorization: 'Bearer admin-token' },
        },
        (response) => {
          response.on('end', resolve);
          response.resume();
          void other.close();
        },
      );
      request.on('error', reject);
      request.end();
    });
    await ended;
  });
});

describe('HTTP/2', () => {
  let session: ClientHttp2Session;
  before(() => {
    session = connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate });
  });
  after(() => session.close());

  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
    const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    const stream = session.request(
      {
        ':method': method,
        ':path': path,
        authorization: 'Bearer admin-token',
        ...(bytes && { 'content-type': 'application/json' }),
        ...headers,
      },
      { endStream: bytes === undefined },
    );
    if (bytes !== undefined) stream.end(bytes);
    const [answer] = await once(stream, 'response') as [Record<string, unknown>];
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return { status: answer[':status'] as number, headers: answer, body: Buffer.concat(chunks) };
  }

  test('the same answers as over HTTP/1.1', async () => {
    const made = await call('POST', CONFIG_MAPS, { metadata: { name: 'two' }, data: { a: 'b' } });
    assert.equal(made.status, 201);
    const two = await call('GET', `${CONFIG_MAPS}/two`);
    const one = await served.call('GET', `${CONFIG_MAPS}/two`);
    assert.equal(two.body.toString(), one.text);
    assert.equal(two.headers['content-type'], one.headers['content-type']);
    assert.equal((await call('GET', '/api/v1/foos')).status, 404);
    assert.equal((await call('HEAD', `${CONFIG_MAPS}/two`)).body.length, 0);
  });

  test('a body over the limit is refused, and other streams go on', async () => {
    const stream = session.request({ ':method': 'POST', ':path': CONFIG_MAPS, authorization: 'Bearer admin-token', 'content-type': 'application/json' });
    stream.on('error', () => {}); // What is left of the body may be cut off.
    stream.end(Buffer.alloc(4 * 1024 * 1024, 0x20));
    const [answer] = await once(stream, 'response') as [Record<string, unknown>];
    assert.equal(answer[':status'], 413);
    stream.resume();
    assert.equal((await call('GET', '/version')).status, 200);
  });

  test('large answers are compressed for those who take it', async () => {
    for (let n = 0; n < 5; n++) {
      await served.make(CONFIG_MAPS, { metadata: { name: `large-${n}`, labels: { large: 'y' } }, data: { a: 'x'.repeat(40_000) } });
    }
    const answer = await call('GET', `${CONFIG_MAPS}?labelSelector=large%3Dy`, undefined, { 'accept-encoding': 'gzip' });
    assert.equal(answer.headers['content-encoding'], 'gzip');
    assert.equal((JSON.parse(gunzipSync(answer.body).toString()) as { items: unknown[] }).items.length, 5);
    assert.equal(
      (await call('GET', `${CONFIG_MAPS}?labelSelector=large%3Dy`, undefined, { 'accept-encoding': 'gzip;q=0' })).headers[
        'content-encoding'
      ],
      undefined,
    );
  });

  test('a connection whose client is gone is gone here too, whatever was under way', async () => {
    const other = await serve();
    try {
      for (const path of ['/version', '/api/v1/pods?watch=1']) {
        const client = connectHttp2(`https://127.0.0.1:${other.api.port}`, { ca: other.api.authority.certificate });
        client.on('error', () => {}); // We hang up.
        const stream = client.request({ ':path': path, authorization: 'Bearer admin-token' });
        stream.on('error', () => {}); // So does the stream.
        await once(stream, 'response');
        client.destroy();
      }
      const open = async (): Promise<number> => Number(/^apiserver_connections (\d+)$/m.exec((await other.call('GET', '/metrics')).text)![1]);
      for (let tries = 0; (await open()) > 1 && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(await open(), 1, 'the one that asks');
    } finally {
      await other.close();
    }
  });

  test('a hundred requests at once on one connection', async () => {
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        call(
          n % 2 === 0 ? 'GET' : 'POST',
          n % 2 === 0 ? `${CONFIG_MAPS}/two` : CONFIG_MAPS,
          n % 2 === 0 ? undefined : { metadata: { name: `many-${n}` } },
        ),
      ),
    );
    assert.deepEqual(
      [200, 201].map((status) => all.filter((answer) => answer.status === status).length),
      [50, 50],
    );
  });
});

describe('the connection', () => {
  /** Sends raw bytes over HTTP/1.1, and returns all that comes back until the server hangs up or falls silent. */
  async function raw(text: string): Promise<string> {
    const socket: TLSSocket = connectTls({ host: '127.0.0.1', port: served.api.port, ca: served.api.authority.certificate, ALPNProtocols: ['http/1.1'] });
    await once(socket, 'secureConnect');
    socket.write(text);
    let out = '';
    socket.on('data', (chunk: Buffer) => {
      out += chunk.toString('latin1');
    });
    socket.on('error', () => {}); // A reset is an answer here.
    await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 300))]);
    socket.destroy();
    return out;
  }
  const AUTH = 'Authorization: Bearer admin-token\r\n';

  test('requests that could be read in two ways are refused', async () => {
    const cases = [
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\n${AUTH}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\n${AUTH}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`,
      `GET /version HTTP/1.1\r\nHost: x\r\n${AUTH} folded: y\r\n\r\n`,
      `GET /version HTTP/1.1\r\nHost : x\r\n${AUTH}\r\n`,
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\n${AUTH}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ];
    for (const text of cases) assert.match(await raw(text), /^HTTP\/1\.1 400 /, text.slice(0, 120));
  });

  test('a target that is no path is refused', async () => {
    assert.match(await raw(`GET http://elsewhere/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${AUTH}\r\n`), /^HTTP\/1\.1 400 /);
  });

  test('a request with an Upgrade header that leads nowhere is answered, and what follows it is never read', async () => {
    const follow = `DELETE ${CONFIG_MAPS}/smuggled HTTP/1.1\r\nHost: x\r\n${AUTH}\r\n`;
    await served.make(CONFIG_MAPS, { metadata: { name: 'smuggled' } });
    for (const token of ['websocket', 'h2c', 'SPDY/3.1', 'nonsense']) {
      const out = await raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\n${AUTH}\r\n${follow}`);
      assert.match(out, /^HTTP\/1\.1 200 [^]*Connection: close\r\n\r\nok$/);
    }
    assert.equal((await served.call('GET', `${CONFIG_MAPS}/smuggled`)).status, 200);
    assert.match(
      await raw(
        `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n${AUTH}\r\n{}`,
      ),
      /^HTTP\/1\.1 400 /,
    );
  });

  test('Expect: 100-continue is answered before the body', async () => {
    const body = '{"metadata":{"name":"expected"}}';
    const out = await raw(
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${AUTH}\r\n${body}`,
    );
    assert.match(out, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
  });
});
