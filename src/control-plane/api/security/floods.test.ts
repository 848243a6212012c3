// Clients that send or take too much, too slowly, or all at once. Frames of HTTP/2 are written by hand where no decent client would send them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { serve, TOKENS, type Served } from '../server.test-helper.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
let served: Served;
before(async () => {
  served = await serve({
    staticTokens: new Map([
      ...TOKENS,
      ['greedy-token', { name: 'greedy', groups: ['system:masters'] }],
      ['modest-token', { name: 'modest', groups: ['system:masters'] }],
    ]),
  });
});
after(() => served.close());

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;

function frame(type: number, flags: number, stream: number, body: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** A header field that is put into no table (RFC 7541, section 6.2.2); both parts shorter than 127 bytes. */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const REQUEST = Buffer.concat([
  field(':method', 'GET'),
  field(':scheme', 'https'),
  field(':path', '/version'),
  field(':authority', 'x'),
  field('authorization', 'Bearer admin-token'),
]);

async function open(protocol: 'h2' | 'http/1.1'): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: served.api.port, ca: served.api.authority.certificate, ALPNProtocols: [protocol] });
  await once(socket, 'secureConnect');
  socket.on('error', () => {}); // Being cut off is what these tests are about.
  if (protocol === 'h2') {
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
  }
  return socket;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Writes until the other side hangs up. @returns how many it took; `most` when it never did */
async function pour(socket: TLSSocket, most: number, make: (n: number) => Buffer): Promise<number> {
  socket.resume();
  for (let n = 0; n < most; n++) {
    if (socket.destroyed || socket.closed) return n;
    if (!socket.write(make(n)) || n % 100 === 0) await turn();
  }
  for (let waits = 0; waits < 500 && !socket.destroyed; waits++) await new Promise((resolve) => setTimeout(resolve, 10));
  return socket.destroyed ? most - 1 : most;
}

async function isWell(): Promise<void> {
  assert.equal((await served.call('GET', '/readyz')).status, 200);
}

describe('frames', () => {
  test('streams that are opened and reset at once end the connection', async () => {
    const socket = await open('h2');
    const taken = await pour(socket, 20_000, (n) =>
      Buffer.concat([
        frame(HEADERS, END_STREAM | END_HEADERS, n * 2 + 1, REQUEST),
        frame(RST_STREAM, 0, n * 2 + 1, Buffer.from([0, 0, 0, 8])),
      ]),
    );
    assert.ok(taken < 20_000);
    await isWell();
  });

  test('headers without an end end the connection', async () => {
    const socket = await open('h2');
    socket.write(frame(HEADERS, END_STREAM, 1, REQUEST));
    assert.ok(await pour(socket, 10_000, () => frame(CONTINUATION, 0, 1, field('x', 'a'.repeat(100)))) < 10_000);
    await isWell();
  });

  test('pings whose answers nobody reads hold no memory', async () => {
    const socket = await open('h2');
    socket.pause();
    const before = process.memoryUsage().rss;
    for (let n = 0; n < 50_000 && !socket.destroyed; n++) {
      if (!socket.write(frame(PING, 0, 0, Buffer.alloc(8))) || n % 100 === 0) {
        await turn();
      }
    }
    assert.ok(process.memoryUsage().rss - before < 64 << 20);
    socket.destroy();
    await isWell();
  });

  test('more streams than are allowed are refused one by one, and the others are served', async () => {
    const socket = await open('h2');
    const seen = { answers: 0, refused: 0 };
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        if (rest[3] === HEADERS) seen.answers++;
        if (rest[3] === RST_STREAM) seen.refused++;
        rest = rest.subarray(9 + rest.readUIntBE(0, 3));
      }
    });
    const watch = Buffer.concat([
      field(':method', 'GET'),
      field(':scheme', 'https'),
      field(':path', `${CONFIG_MAPS}?watch=1`),
      field(':authority', 'x'),
      field('authorization', 'Bearer admin-token'),
    ]);
    socket.write(Buffer.concat(Array.from({ length: 1000 }, (_, n) => frame(HEADERS, END_STREAM | END_HEADERS, n * 2 + 1, watch))));
    for (let waits = 0; waits < 500 && seen.answers < 250 && !socket.destroyed; waits++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(seen.answers <= 250, String(seen.answers));
    socket.destroy();
    await isWell();
  });
});

describe('bodies', () => {
  test('a refused body without an end is not read for ever: HTTP/1.1', async () => {
    for (const head of ['Content-Length: 1000000000', 'Transfer-Encoding: chunked']) {
      const socket = await open('http/1.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      socket.write(`POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody-token\r\n${head}\r\n\r\n`);
      const chunk = Buffer.alloc(65_536, 0x61);
      const sent = head.startsWith('T') ? Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]) : chunk;
      assert.ok(await pour(socket, 400, () => sent) < 400);
      assert.match(text, /^HTTP\/1\.1 403 /, 'the answer came all the same');
    }
    await isWell();
  });

  test('nor over HTTP/2, where other streams go on', async () => {
    const session = connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate });
    try {
      const stream = session.request({ ':method': 'POST', ':path': CONFIG_MAPS, authorization: 'Bearer nobody-token' });
      stream.on('error', () => {}); // It is reset.
      const [answer] = await once(stream, 'response') as [Record<string, unknown>];
      assert.equal(answer[':status'], 403);
      stream.resume();
      let sent = 0;
      while (!stream.destroyed && sent < 64 << 20) {
        sent += 65_536;
        await new Promise<void>((resolve) => {
          stream.once('close', resolve);
          stream.write(Buffer.alloc(65_536), () => resolve());
        });
      }
      assert.ok(sent < 64 << 20, 'it was reset');
      const other = session.request({ ':path': '/version', authorization: 'Bearer nobody-token' });
      assert.equal((await once(other, 'response') as [Record<string, unknown>])[0][':status'], 200);
      other.resume();
    } finally {
      session.destroy();
    }
  });

  test('a small body of a refused request costs nobody the connection', async () => {
    const socket = await open('http/1.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    const refused = `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody-token\r\nContent-Length: 2\r\n\r\n{}`;
    for (let n = 1; n <= 3; n++) {
      socket.write(refused);
      for (let waits = 0; waits < 500 && (text.match(/HTTP\/1\.1 403/g)?.length ?? 0) < n; waits++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    assert.equal(text.match(/HTTP\/1\.1 403/g)?.length, 3);
    socket.destroy();
  });
});

describe('answers', () => {
  before(async () => {
    for (let n = 0; n < 10; n++) await served.make(CONFIG_MAPS, { metadata: { name: `bulky-${n}` }, data: { text: 'x'.repeat(900_000) } });
  });

  test('lists that nobody reads are bounded, and hinder nobody else', async () => {
    const session = connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate, settings: { initialWindowSize: 0 } });
    session.on('error', () => {}); // We hang up.
    const codes = await Promise.all(Array.from({ length: 120 }, async (_, n) => {
      // Each limit makes a body of its own.
      const stream = session.request({ ':path': `${CONFIG_MAPS}?limit=${500 + n}`, authorization: 'Bearer greedy-token' });
      stream.on('error', () => {});
      return Number((await once(stream, 'response') as [Record<string, unknown>])[0][':status']);
    }));
    const held = codes.filter((code) => code === 200).length;
    assert.ok(held >= 10 && held <= 24, `${held} lists of 9 MB`);
    assert.ok(codes.every((code) => code === 200 || code === 429));
    assert.equal((await served.call('GET', `${CONFIG_MAPS}?limit=500`, { token: 'modest-token' })).status, 200);
    session.destroy();
  });

  test('one client at full speed leaves another, who asks now and then, what it asks for', async () => {
    const sessions: ClientHttp2Session[] = Array.from({ length: 4 }, () =>
      connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate }),
    );
    let done = false;
    let flooded = 0;
    const flood = async (session: ClientHttp2Session, n: number): Promise<void> => {
      while (!done) {
        const stream = session.request({
          ':method': n % 2 === 0 ? 'GET' : 'POST',
          ':path': n % 2 === 0 ? `${CONFIG_MAPS}/bulky-0` : `${CONFIG_MAPS}?dryRun=All`,
          authorization: 'Bearer greedy-token',
          'content-type': 'application/json',
        });
        if (n % 2 !== 0) stream.end('{"metadata":{"name":"f"}}');
        stream.resume();
        await once(stream, 'close');
        flooded++;
      }
    };
    const floods = sessions.flatMap((session) => Array.from({ length: 60 }, (_, n) => flood(session, n)));
    let completed = 0;
    for (let n = 0; n < 20; n++) {
      const answer = await served.call('POST', `${CONFIG_MAPS}?dryRun=All`, { token: 'modest-token', body: { metadata: { name: 'modest' } } });
      if (answer.status === 201) completed++;
      await new Promise((resolve) => setTimeout(resolve, 10)); // It asks now and then.
    }
    const before = flooded;
    done = true;
    await Promise.all(floods);
    for (const session of sessions) session.close();
    assert.ok(before > 40, 'there was a flood');
    assert.ok(completed >= 18, `${completed} of 20`);
  });

  test('thousands of idle watches over a few connections, all of which hear what happens', async () => {
    const sessions = Array.from({ length: 8 }, () => connectHttp2(`https://127.0.0.1:${served.api.port}`, { ca: served.api.authority.certificate }));
    let heard = 0;
    await Promise.all(sessions.flatMap((session) => Array.from({ length: 240 }, async () => {
      const stream = session.request({ ':path': `${CONFIG_MAPS}?watch=1&labelSelector=idle%3Dyes`, authorization: 'Bearer admin-token' });
      stream.once('data', () => heard++);
      stream.resume();
      stream.on('error', () => {}); // We hang up.
      await once(stream, 'response');
    })));
    await served.make(CONFIG_MAPS, { metadata: { name: 'idle', labels: { idle: 'yes' } } });
    for (let waits = 0; waits < 1000 && heard < 8 * 240; waits++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(heard, 8 * 240);
    for (const session of sessions) session.destroy();
    await isWell();
  });
});
