// docker login and logout, and what needs one: against our registry behind a gate that wants a password, or a token.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openRegistry } from '../../src/engine/registry/registry.ts';
import type { Registry } from '../../src/engine/registry/registry.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { docker as run, startEngine } from './docker-engine.ts';
import type { Ran, TestEngine } from './docker-engine.ts';

const PASSWORD = `Basic ${Buffer.from('ann:secret').toString('base64')}`;

let engine: TestEngine;
let hub: TestEngine;
let registry: Registry;
let basic: string;
let bearer: string;
const gates: Server[] = [];
/** What token servers were asked for. */
const asked: URL[] = [];

before(async () => {
  [engine, hub] = await Promise.all([startEngine(), startEngine()]);
  registry = openRegistry({ images: hub.engine.images, clock: systemClock, random: systemRandom, logger: silentLogger });
  basic = await gate((request) => (request.headers.authorization === PASSWORD ? undefined : 'Basic realm="the gate"'));
  bearer = await gate((request) => {
    const at = `http://${request.headers.host!}/token`;
    const scope = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(request.url!)?.[1];
    const actions = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'pull,push';
    if (/^Bearer (once|kept)-\w*/.test(request.headers.authorization ?? '')) return undefined;
    return `Bearer realm="${at}",service="gate"${scope === undefined ? '' : `,scope="repository:${scope}:${actions}"`}`;
  });
});
after(async () => {
  for (const server of gates) {
    server.closeAllConnections();
    server.close();
  }
  await registry.close();
  await Promise.all([engine.close(), hub.close()]);
});

/** Our registry behind a check. @returns its address */
async function gate(challenge: (request: IncomingMessage) => string | undefined): Promise<string> {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://gate');
    if (url.pathname === '/token') {
      asked.push(url);
      const refresh = request.method === 'POST';
      if (!refresh && request.headers.authorization !== PASSWORD) {
        response
          .writeHead(401, { 'Content-Type': 'application/json' })
          .end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }] }));
        return;
      }
      response
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(
          JSON.stringify({
            token: refresh ? 'kept-1' : 'once-1',
            ...(url.searchParams.has('offline_token') ? { refresh_token: 'keep-me' } : {}),
          }),
        );
      return;
    }
    const wanted = challenge(request);
    if (wanted === undefined) {
      registry.handle(request, response);
    } else {
      response
        .writeHead(401, { 'WWW-Authenticate': wanted, 'Content-Type': 'application/json' })
        .end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }));
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  gates.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const docker = (args: readonly string[], input?: string): Promise<Ran> => run(engine, args, input);

for (const kind of ['basic', 'bearer'] as const) {
  test(`a registry that wants ${kind} credentials: refused without, let in after a login, refused after the logout`, async () => {
    const host = kind === 'basic' ? basic : bearer;
    const image = `${host}/team/${kind}:v1`;
    await engine.ok('tag', 'busybox', image);
    const early = await docker(['push', image]);
    assert.equal(early.code, 1);
    assert.match(early.stderr, /(push access denied|refused)[^]*docker login/);

    const wrong = await docker(['login', '--username', 'ann', '--password-stdin', host], 'guess');
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      kind === 'basic'
        ? /login attempt to http:\/\/127\.0\.0\.1:\d+\/v2\/ failed with status: 401 Unauthorized/
        : /incorrect username or password/,
    );

    const login = await docker(['login', '--username', 'ann', '--password-stdin', host], 'secret');
    assert.equal(login.code, 0, login.stderr);
    assert.match(login.stdout, /Login Succeeded/);
    const kept = (
      JSON.parse(await readFile(join(engine.folder, 'config', 'config.json'), 'utf8')) as {
        auths: Record<string, { auth?: string; identitytoken?: string }>;
      }
    ).auths[host]!;
    assert.equal(
      kept.identitytoken,
      kind === 'bearer' ? 'keep-me' : undefined,
      'a token that the registry gives is kept instead of the password',
    );

    assert.equal((await docker(['push', image])).code, 0);
    await engine.ok('rmi', image);
    const pulled = await docker(['pull', image]);
    assert.equal(pulled.code, 0, pulled.stderr);

    await docker(['logout', host]);
    await engine.ok('rmi', image);
    const late = await docker(['pull', image]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /docker login/);
  });
}

test('a login to nothing, and to what is no registry, says which', async () => {
  const nobody = await docker(['login', '-u', 'a', '--password-stdin', '127.0.0.1:1'], 'b');
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /127\.0\.0\.1:1.*connection refused/);
  const odd = await docker(['login', '-u', 'a', '--password-stdin', 'no registry'], 'b');
  assert.equal(odd.code, 1);
  assert.match(odd.stderr, /names no registry/);
});

test('a manifest is told without pulling', async () => {
  await engine.ok('tag', 'busybox', `${basic}/team/asked`);
  await docker(['login', '--username', 'ann', '--password-stdin', basic], 'secret');
  assert.equal((await docker(['push', `${basic}/team/asked`])).code, 0);
  const told = await engine.engine.images.askRegistry(`${basic}/team/asked`, { username: 'ann', password: 'secret' });
  assert.match(told.descriptor.digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(told.platforms[0]?.os, 'linux');
  await assert.rejects(engine.engine.images.askRegistry(`${basic}/team/asked`), /pull access denied/);
});
