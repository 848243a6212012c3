import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { isCode } from '../lib/errors.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import { isReason } from '../types/kubernetes/status.ts';
import { certificate, key } from './certificate.test-helper.ts';
import { HttpTransport } from './http-transport.ts';
import { nodes, pods } from './resources.ts';

interface Seen { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }
type Answer = (request: Seen, response: http.ServerResponse) => void;

const PROTOCOLS = ['http/1.1', 'h2', 'tls h2', 'tls http/1.1'] as const;

/** A server that speaks one protocol, and a transport to it. */
async function setUp(protocol: (typeof PROTOCOLS)[number], answer: Answer) {
  const seen: Seen[] = [];
  const handler = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry = { method: request.method!, url: request.url!, headers: request.headers, body: Buffer.concat(chunks).toString() };
      seen.push(entry);
      answer(entry, response);
    });
  };
  const over2 = handler as unknown as (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;
  const server: Server =
    protocol === 'http/1.1'
      ? http.createServer(handler)
      : protocol === 'h2'
        ? http2.createServer(over2)
        : protocol === 'tls h2'
          ? http2.createSecureServer({ cert: certificate, key }, over2)
          : https.createServer({ cert: certificate, key }, handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = (server.address() as AddressInfo).port;
  const secure = protocol.startsWith('tls');
  const transport = new HttpTransport({
    config: { server: `${secure ? 'https' : 'http'}://127.0.0.1:${port}/base`, token: 'secret', ...(secure && { ca: Buffer.from(certificate) }) },
    clock: systemClock, protocol: secure ? 'negotiate' : protocol === 'h2' ? 'h2' : 'http/1.1',
  });
  return { seen, transport, async [Symbol.asyncDispose]() {
    transport.close();
    if ('closeAllConnections' in server) (server as http.Server).closeAllConnections();
    server.close();
    await once(server, 'close');
  } };
}

const json = (response: http.ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
};

for (const protocol of PROTOCOLS) {
  test(`calls over ${protocol}: paths, bodies, errors`, async () => {
    await using server = await setUp(protocol, (request, response) => {
      if (request.method === 'GET' && request.url.endsWith('/pods?labelSelector=a%3Db')) {
        json(response, 200, { metadata: { resourceVersion: '7' }, items: [{ metadata: { name: 'x' } }] });
      } else if (request.url.includes('missing')) {
        json(response, 404, {
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Failure',
          reason: 'NotFound',
          code: 404,
          message: 'pods "missing" not found',
        });
      } else if (request.url.includes('proxy')) {
        response.writeHead(502).end('bad gateway');
      } else {
        json(response, 200, request.body === '' ? {} : JSON.parse(request.body));
      }
    });
    const { transport, seen } = server;
    const list = await transport.list<KubeObject>(pods, 'ns', { labelSelector: 'a=b' });
    assert.deepEqual(list, { metadata: { resourceVersion: '7' }, items: [{ metadata: { name: 'x' }, apiVersion: 'v1', kind: 'Pod' }] });
    assert.equal(seen[0]!.url, '/base/api/v1/namespaces/ns/pods?labelSelector=a%3Db');
    assert.equal(seen[0]!.headers['authorization'], 'Bearer secret');
    const created = await transport.create<KubeObject>(nodes, undefined, { metadata: { name: 'n' } }, { dryRun: true, fieldManager: 'me' });
    assert.deepEqual(created, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
    assert.equal(seen[1]!.url, '/base/api/v1/nodes?dryRun=All&fieldManager=me');
    await transport.patch(pods, 'ns', 'x', 'strategic', { status: {} }, { subresource: 'status' });
    assert.equal(seen[2]!.url, '/base/api/v1/namespaces/ns/pods/x/status');
    assert.equal(seen[2]!.headers['content-type'], 'application/strategic-merge-patch+json');
    await transport.delete(pods, 'ns', 'x', { gracePeriodSeconds: 0, preconditions: { uid: 'u' } });
    assert.deepEqual(JSON.parse(seen[3]!.body), { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, preconditions: { uid: 'u' } });
    await assert.rejects(transport.get(pods, 'ns', 'missing'), (error) => isReason(error, 'NotFound') && isCode(error, 'not-found'));
    await assert.rejects(transport.get(pods, 'ns', 'proxy'), /bad gateway/);
  });

  test(`watches over ${protocol}: events in pieces, an error event, the end, stop`, async () => {
    const open: { answer: http.ServerResponse | undefined } = { answer: undefined };
    await using server = await setUp(protocol, (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      (response as unknown as { flushHeaders?(): void }).flushHeaders?.();
      open.answer = response;
    });
    const log: string[] = [];
    let wake = (): void => {};
    const until = async (n: number): Promise<void> => {
      while (log.length < n) await new Promise<void>((resolve) => (wake = resolve));
    };
    const watch = () =>
      server.transport.watch<KubeObject>(
        pods,
        undefined,
        { resourceVersion: '5', allowWatchBookmarks: true },
        {
          event: (type, object) => {
            log.push(`${type} ${object.metadata!.name}`);
            wake();
          },
          ended: (error) => {
            log.push(`end ${error?.message}`);
            wake();
          },
        },
      );
    const opened = async (): Promise<void> => {
      open.answer = undefined;
      watch();
      while (!open.answer) await new Promise((resolve) => setImmediate(resolve));
    };
    await opened();
    assert.equal(server.seen[0]!.url, '/base/api/v1/pods?watch=true&resourceVersion=5&allowWatchBookmarks=true');
    const line = JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'ä-very-long-name' } } }) + '\n';
    const bytes = Buffer.from(line + line);
    open.answer!.write(bytes.subarray(0, 45));
    await new Promise((resolve) => setTimeout(resolve, 5));
    open.answer!.write(bytes.subarray(45));
    await until(2);
    open.answer!.write(JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } }) + '\n');
    await until(3);
    assert.deepEqual(log, ['ADDED ä-very-long-name', 'ADDED ä-very-long-name', 'end too old']);
    await opened();
    open.answer!.end();
    await until(4);
    assert.equal(log[3], 'end undefined');
    open.answer = undefined;
    const stop = watch();
    while (!open.answer) await new Promise((resolve) => setImmediate(resolve));
    const closed = once(open.answer, 'close');
    stop();
    await closed;
    assert.equal(log.length, 4, 'nothing is told after stop');
  });
}

test('a busy server is asked again when it says so; a deadline and a signal end a call', async () => {
  let tries = 0;
  await using server = await setUp('h2', (request, response) => {
    if (request.url.includes('hang')) return;
    if (++tries < 3) json(response, 429, { kind: 'Status', code: 429, message: 'busy' }, { 'retry-after': '0' });
    else json(response, 200, { ok: true });
  });
  await server.transport.get(pods, 'ns', 'x');
  assert.equal(tries, 3);
  const abort = new AbortController();
  const call = server.transport.get(pods, 'ns', 'hang');
  const listed = server.transport.list(pods, 'hang', { signal: abort.signal });
  abort.abort();
  await assert.rejects(listed, { code: 'canceled' });
  server.transport.close();
  await assert.rejects(call, { code: 'unavailable' });
});

test('nobody there is told as such, with the address', async () => {
  const transport = new HttpTransport({ config: { server: 'http://127.0.0.1:1' }, clock: systemClock });
  await assert.rejects(
    transport.list(pods, undefined),
    (error) => isCode(error, 'unavailable') && /127\.0\.0\.1:1/.test((error as Error).message),
  );
  const ended = await new Promise<Error | undefined>((resolve) =>
    transport.watch(pods, undefined, {}, { event: () => {}, ended: resolve }),
  );
  assert.ok(isCode(ended, 'unavailable'));
});
