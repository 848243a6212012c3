// The Docker API without its command line: what other clients send, and what nobody should.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { call as callAt, messageOf as message, upgraded } from './docker-call.ts';
import type { Answer } from './docker-call.ts';
import { startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> =>
  callAt(engine.socket, method, path, body, headers);

/** Sends bytes, and gives all that comes back until the other side closes. */
function raw(text: string, end = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: engine.socket });
    let got = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (got += piece)).on('close', () => resolve(got)).on('error', reject);
    socket.write(text, 'latin1');
    if (end) socket.end();
  });
}

test('ping, and versions that are too new or too old', async () => {
  const ping = await call('GET', '/_ping');
  assert.equal(ping.text, 'OK');
  assert.match(String(ping.headers['api-version']), /^1\.\d+$/);
  assert.equal(ping.headers['ostype'], 'linux');
  assert.equal((await call('HEAD', '/v1.24/_ping')).status, 200);
  assert.match((await call('GET', '/v1.23/info')).text, /client version 1\.23 is too old\. Minimum supported API version is 1\.24/);
  assert.match(message(await call('GET', '/v1.999/info')), /client version 1\.999 is too new\. Maximum supported API version is 1\.\d+/);
  for (const version of ['', '/v1.24', '/v1.40', '/v1.51']) assert.equal((await call('GET', `${version}/containers/json`)).text, '[]\n');
});

test('a slash behind the networks, and what older clients read of a machine', async () => {
  assert.equal((await call('GET', '/networks/')).text, (await call('GET', '/networks')).text);
  const info = async (version: string): Promise<Record<string, unknown>> =>
    JSON.parse((await call('GET', `/v${version}/info`)).text) as Record<string, unknown>;
  assert.equal((await info('1.49'))['BridgeNfIptables'], false);
  assert.equal('BridgeNfIptables' in (await info('1.50')), false);
});

test('errors have a message and a fitting status', async () => {
  for (const [method, path, status, text] of [
    ['GET', '/containers/nope/json', 404, /No such container: nope/],
    ['GET', '/nothing/here', 404, /page not found/],
    ['PUT', '/containers/json', 404, /page not found/],
    ['GET', '/images/nope/json', 404, /No such image: nope/],
    ['GET', '/networks/nope', 404, /network nope not found/],
    ['GET', '/volumes/nope', 404, /no such volume/],
    ['GET', '/exec/nope/json', 404, /No such exec instance: nope/],
    ['GET', '/services', 503, /This node is not a swarm manager/],
    ['POST', '/swarm/init', 501, /not built/],
    ['GET', '/containers/json?filters=%7B', 400, /invalid filter/],
    ['GET', '/containers/json?filters=%7B%22x%22%3A%5B%5D%7D', 400, /invalid filter 'x'/],
    ['GET', '/containers/json?limit=many', 400, /not a number/],
    ['POST', '/containers/create', 400, /config cannot be empty/],
  ] as const) {
    const answer = await call(method, path, method === 'POST' ? {} : undefined);
    if (path === '/containers/create') {
      assert.equal(answer.status, 400);
      continue;
    }
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.match(message(answer), text);
  }
});

test('malformed bodies are refused quickly, and hurt nobody', async () => {
  const started = performance.now();
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const body of [
    '{',
    '"text"',
    '[]',
    '{"Image":',
    `{"Image":"busybox","Cmd":${deep}}`,
    '{"__proto__":{"polluted":true},"Image":"busybox"}',
    '{"Image":"busybox","HostConfig":{"Memory":1e309}}',
  ]) {
    const answer = await call('POST', '/containers/create', body);
    assert.ok(answer.status >= 200 && answer.status < 500, `${body.slice(0, 40)}: ${answer.status}`);
    if (answer.status === 201) await engine.engine.containers.remove((JSON.parse(answer.text) as { Id: string }).Id);
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.equal((await call('POST', '/containers/create', `{"Image":"${'x'.repeat(5 << 20)}"}`).catch(() => ({ status: 413 }))).status, 413);
  assert.equal((await call('POST', '/containers/create', '{}', { 'Content-Type': 'text/plain' })).status, 400);
  assert.ok(performance.now() - started < 5000);
  assert.equal((await call('GET', '/_ping')).status, 200);
});

test("a failed upgrade ends the connection: what follows on it is nobody's request", async () => {
  const got = await raw(
    'POST /containers/nope/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nDELETE /images/busybox HTTP/1.1\r\nHost: d\r\n\r\n',
  );
  assert.match(got, /^HTTP\/1\.1 404 /);
  assert.equal(got.match(/HTTP\/1\.1/g)!.length, 1);
  assert.match(await engine.ok('images', '-q'), /\S/);
  // An upgrade that is not ours to take is an ordinary request.
  const plain = await raw(
    'GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n',
  );
  assert.match(plain, /^HTTP\/1\.1 200 OK[\s\S]*OK$/);
  assert.match(await raw('nonsense\r\n\r\n'), /^HTTP\/1\.1 400/);
});

test('attach and exec by hand: multiplexed frames after 101, and a body for who does not upgrade', async () => {
  const created = await call('POST', '/v1.43/containers/create?name=byhand', {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'echo out; echo err >&2; sleep 1000'],
    AttachStdout: true,
  });
  assert.equal(created.status, 201);
  const attached = raw('POST /v1.43/containers/byhand/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await call('POST', '/containers/byhand/start')).status, 204);
  assert.equal((await call('POST', '/containers/byhand/start')).status, 304);
  const exec = JSON.parse((await call('POST', '/containers/byhand/exec', { Cmd: ['cat'], AttachStdin: true, AttachStdout: true })).text) as { Id: string };
  const body = '{"Detach":false,"Tty":false}';
  const echoed = await raw(
    `POST /exec/${exec.Id}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}typed`,
    true,
  );
  assert.match(echoed, /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
  assert.ok(echoed.endsWith('\x01\0\0\0\0\0\0\x05typed'), JSON.stringify(echoed.slice(-40)));
  const again = JSON.parse((await call('POST', '/containers/byhand/exec', { Cmd: ['echo', 'body'], AttachStdout: true })).text) as { Id: string };
  assert.equal((await call('POST', `/exec/${again.Id}/start`, {})).text, '\x01\0\0\0\0\0\0\x05body\n');
  const inspected = JSON.parse((await call('GET', `/exec/${again.Id}/json`)).text) as { Running: boolean; ExitCode: number };
  assert.deepEqual([inspected.Running, inspected.ExitCode], [false, 0]);
  assert.match((await call('POST', `/exec/${again.Id}/start`, {})).text, new RegExp(`exec command ${again.Id} has already run`));
  assert.equal((await call('POST', `/exec/${again.Id}/start`, { Detach: true })).status, 409);
  assert.equal((await call('DELETE', '/containers/byhand')).status, 409);
  assert.equal((await call('DELETE', '/containers/byhand?force=1')).status, 204);
  const got = await attached;
  assert.match(got, /^HTTP\/1\.1 101 UPGRADED/);
  assert.ok(got.includes('\x01\0\0\0\0\0\0\x04out\n') && got.includes('\x02\0\0\0\0\0\0\x04err\n'));
});

/** Sends each piece a moment after the one before, then says that no more comes; resolves with all that was answered. */
function inPieces(pieces: readonly string[], waitMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: engine.socket, allowHalfOpen: true });
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece)).on('end', () => resolve(text)).on('error', reject);
    const send = (at: number): void => {
      if (at === pieces.length) socket.end();
      else socket.write(pieces[at]!, () => void setTimeout(() => send(at + 1), waitMs));
    };
    send(0);
  });
}

test('the end of the input arrives, however early it comes, and however the request is cut', async () => {
  await engine.ok('run', '-d', '--name', 'early', 'busybox', 'sleep', '1000');
  const body = '{"Detach":false,"Tty":false}';
  for (const input of ['', 'typed']) {
    for (const waitMs of [0, 1, 5, 30]) {
      const exec = JSON.parse(
        (await call('POST', '/containers/early/exec', { Cmd: ['sh', '-c', 'cat; echo .'], AttachStdin: true, AttachStdout: true })).text,
      ) as { Id: string };
      const head = `POST /exec/${exec.Id}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      const answer = await inPieces([head, body, ...(input === '' ? [] : [input])], waitMs);
      assert.ok(answer.includes('.\n') && answer.includes(input), `${JSON.stringify(input)}, ${waitMs} ms between the pieces: ${JSON.stringify(answer)}`);
    }
  }
  for (let n = 0; n < 5; n++) assert.equal((await engine.docker('exec', '-i', 'early', 'sh', '-c', 'cat; echo done')).stdout, 'done\n');
  await engine.ok('rm', '-f', 'early');
});

test('wait answers its headers at once', async () => {
  await call('POST', '/containers/create?name=waited', { Image: 'busybox', Cmd: ['sh', '-c', 'exit 7'] });
  let headersFirst = false;
  const code = new Promise<string>((resolve, reject) => {
    const outgoing = request({ socketPath: engine.socket, method: 'POST', path: '/containers/waited/wait?condition=next-exit' }, (answer) => {
      headersFirst = true;
      void call('POST', '/containers/waited/start');
      answer.setEncoding('utf8').on('data', resolve);
    });
    outgoing.on('error', reject).end();
  });
  assert.equal(await code, '{"StatusCode":7}\n');
  assert.ok(headersFirst);
  await engine.ok('rm', 'waited');
});

test('what is not built says so; limits are checked as Docker does', async () => {
  const create = (host: object): Promise<Answer> => call('POST', '/containers/create', { Image: 'busybox', HostConfig: host });
  for (const [host, status, text] of [
    [{ DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu']] }] }, 501, /--gpus/],
    [{ UsernsMode: 'private' }, 501, /--userns/],
    [{ LogConfig: { Type: 'syslog' } }, 501, /log drivers/],
    [{ Memory: 1000 }, 400, /Minimum memory limit allowed is 6MB/],
    [{ MemorySwap: 1 << 30 }, 400, /You should always set the Memory limit/],
    [{ RestartPolicy: { Name: 'sometimes' } }, 400, /unknown policy 'sometimes'/],
    [{ CapAdd: ['CAP_NONSENSE'] }, 400, /unknown capability: "CAP_NONSENSE"/],
    [{ Binds: ['relative:/x:zz'] }, 400, /invalid mode: zz/],
    [{ Binds: ['/a'] }, 400, /invalid volume specification/],
    [{ Mounts: [{ Type: 'bind', Source: 'rel', Target: '/x' }] }, 400, /mount path must be absolute/],
    [{ CgroupParent: '../../escape' }, 400, /invalid cgroup parent/],
    [{ PortBindings: { '99999/tcp': [{}] } }, 400, /invalid port '99999': value out of range/],
    [{ NetworkMode: 'nowhere' }, 201, undefined],
    [{ Runtime: 'hamster' }, 400, /unknown or invalid runtime name: hamster/],
    [{ IpcMode: 'strange' }, 400, /invalid IPC mode: strange/],
    [{ Mounts: [{ Type: 'bind', Source: '/does/not/exist', Target: '/x' }] }, 400, /bind source path does not exist/],
    [{ NetworkMode: 'container:nobody' }, 201, undefined],
    [{ SecurityOpt: ['nonsense'] }, 400, /invalid --security-opt/],
  ] as const) {
    const answer = await create(host);
    assert.equal(answer.status, status, `${JSON.stringify(host)}: ${answer.text}`);
    if (text !== undefined) assert.match(message(answer), text);
    if (answer.status === 201) await engine.engine.containers.remove((JSON.parse(answer.text) as { Id: string }).Id);
  }
});

test('an exec tells of an unknown user at once; the start decides on frames, whatever terminal the exec has', async () => {
  assert.equal((await engine.docker('run', '-d', '--name', 'execs', 'busybox', 'sleep', '1000')).code, 0);
  const create = (body: object): Promise<Answer> =>
    call('POST', '/containers/execs/exec', { AttachStdout: true, AttachStderr: true, ...body });
  for (const [user, what] of [
    ['nobody-here', /unable to find user nobody-here/],
    ['nobody-here:1', /unable to find user/],
    ['web:nogroup', /unable to find group nogroup/],
  ] as const) {
    const refused = await create({ Cmd: ['id'], User: user });
    assert.equal(refused.status, 400);
    assert.match(message(refused), what);
  }
  assert.equal((await create({ Cmd: ['id'], DetachKeys: 'ctrl-A' })).status, 400);
  const size = { Tty: true, Cmd: ['stty', 'size'], ConsoleSize: [57, 123] };
  const framed = JSON.parse((await create(size)).text) as { Id: string };
  const frames = await upgraded(engine.socket, `/exec/${framed.Id}/start`, {});
  assert.match(frames, /multiplexed-stream/);
  assert.ok(frames.endsWith('\r\n\r\n\x01\0\0\0\0\0\0\x0857 123\r\n'), JSON.stringify(frames));
  const plain = JSON.parse((await create(size)).text) as { Id: string };
  assert.match(await upgraded(engine.socket, `/exec/${plain.Id}/start`, { Tty: true, ConsoleSize: [20, 30] }), /raw-stream[\s\S]*\r\n\r\n20 30\r\n$/);
  assert.equal((await call('POST', `/exec/${plain.Id}/resize?h=1&w=`)).status, 400);
  assert.match(await upgraded(engine.socket, '/containers/execs/attach?stream=1&detachKeys=ctrl-A', {}), /^HTTP\/1\.1 400[\s\S]*Invalid detach keys/);
  assert.equal((await call('POST', '/containers/execs/unpause')).status, 500);
  await engine.ok('rm', '-f', 'execs');
});

test('copying tells the container as it was named, and that a file is no folder', async () => {
  await engine.ok('create', '--name', 'copies', 'busybox', 'true');
  const { Id: id } = JSON.parse((await call('GET', '/containers/copies/json')).text) as { Id: string };
  for (const name of ['copies', id, id.slice(0, 12)]) {
    for (const method of ['GET', 'PUT']) {
      assert.equal(
        message(await call(method, `/containers/${name}/archive?path=/dne`)),
        `Could not find the file /dne in container ${name}`,
      );
    }
  }
  const file = await call('GET', '/containers/copies/archive?path=/etc/passwd/');
  assert.equal(file.status, 400);
  assert.match(message(file), /not a directory/);
  await engine.ok('rm', 'copies');
});

test('attaching by WebSocket: what is typed goes in as messages, and comes out as such', async () => {
  await engine.ok('run', '-d', '-i', '--name', 'socket', 'busybox', 'sh', '-c', 'echo before; read line; echo "got $line"; echo wrong >&2');
  await engine.ok('logs', 'socket');
  const typed = Buffer.from('hello\n');
  const mask = Buffer.from([1, 2, 3, 4]);
  const message = Buffer.concat([Buffer.from([0x82, 0x80 | typed.length]), mask, typed.map((byte, at) => byte ^ mask[at & 3]!)]).toString(
    'latin1',
  );
  const ask = (query: string, key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: websocket'): string =>
    `GET /containers/socket/attach/ws?${query} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
  assert.match(await raw(ask('stream=1', 'Upgrade: tcp')), /^HTTP\/1\.1 400[\s\S]*wants a WebSocket/);
  assert.match(await raw(ask('stream=1&detachKeys=ctrl-A')), /^HTTP\/1\.1 400[\s\S]*Invalid detach keys/);
  const got = await raw(ask('stream=1&logs=1&stdin=1&stdout=1') + message);
  assert.match(got, /^HTTP\/1\.1 101 [\s\S]*\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  const text = got.slice(got.indexOf('\r\n\r\n') + 4);
  assert.ok(text.startsWith('\x82\x07before\n'), JSON.stringify(text));
  assert.ok(text.includes('\x82\x0agot hello\n'), JSON.stringify(text));
  assert.ok(!text.includes('wrong'), 'only what was asked for');
  assert.ok(text.endsWith('\x88\x02\x03\xe8'), 'and closed in good order');
  await engine.ok('rm', '-f', 'socket');
});
