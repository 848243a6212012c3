// What buildx alone does: secrets, agents, caches, outputs, bake.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createConnection, createServer as createUnixServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Engine } from '../../src/app/engine.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { noBuildx, startBuildEngine } from './build-engine.ts';
import type { BuildEngine } from './build-engine.ts';
import { docker } from './docker-engine.ts';
import type { Place } from './docker-engine.ts';

let builds: BuildEngine;
let place: Place;
let engine: Engine;

before(async () => {
  builds = await startBuildEngine();
  ({ place, engine } = builds);
});
after(() => builds.close());

const context: BuildEngine['context'] = (files) => builds.context(files);
const build: BuildEngine['build'] = (door, folder, ...args) => builds.build(door, folder, ...args);
const ok: BuildEngine['ok'] = (door, folder, ...args) => builds.ok(door, folder, ...args);
const run: BuildEngine['run'] = (...args) => builds.run(...args);

void test('buildx: secrets leave no trace, caches stay, binds show what they should', { skip: noBuildx }, async () => {
  const folder = context({
    Dockerfile: `
FROM busybox AS lib
RUN mkdir /lib && echo lib > /lib/x
FROM busybox
RUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /length
RUN --mount=type=secret,id=token,env=TOKEN,target=/etc/token test "$TOKEN" = "$(cat /etc/token)"
RUN --mount=type=cache,target=/var/cache/x echo x >> /var/cache/x/count && wc -l < /var/cache/x/count > /count
RUN --mount=type=bind,from=lib,source=/lib,target=/mnt/lib --mount=type=bind,source=sub,target=/mnt/sub cat /mnt/lib/x /mnt/sub/y > /seen
RUN --mount=type=tmpfs,target=/scratch touch /scratch/x
CMD cat /length /count /seen; ls -d /run /mnt /scratch /var/cache /etc/token 2>/dev/null; true
`,
    'sub/y': 'sub\n',
    token: 'very-secret-value',
  });
  await ok('buildx', folder, '--secret', `id=token,src=${join(folder, 'token')}`, '-t', 'secret');
  assert.equal(await run('secret'), '17\n1\nlib\nsub');
  await ok('buildx', folder, '--secret', `id=token,src=${join(folder, 'token')}`, '--no-cache', '-t', 'secret');
  assert.equal((await run('secret')).split('\n')[1], '2');
  const saved = await docker(place, ['save', 'secret', '-o', join(place.folder, 'secret.tar')]);
  assert.equal(saved.code, 0, saved.stderr);
  assert.equal(readFileSync(join(place.folder, 'secret.tar')).includes('very-secret-value'), false);
  assert.equal((await docker(place, ['history', '--no-trunc', 'secret'])).stdout.includes('very-secret-value'), false);
  assert.deepEqual(existsSync(`/run/longshore-${place.instance}-build`) ? readdirSync(`/run/longshore-${place.instance}-build`) : [], []);
});

void test('buildx: a command finds the client’s SSH agent, and nothing of it stays', { skip: noBuildx }, async (t) => {
  const agent = join(place.folder, 'agent.sock');
  // Of the agent's protocol (RFC draft-ietf-sshm-ssh-agent): 11 asks for the keys, 12 answers; there are none.
  const [ask, none] = [Buffer.from([0, 0, 0, 1, 11]), Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 0])];
  const server = createUnixServer((socket) => socket.on('data', (data) => void (data.equals(ask) && socket.write(none))));
  await new Promise<void>((resolve) => void server.listen(agent, resolve));
  t.after(() => server.close());
  const folder = context({
    Dockerfile:
      'FROM busybox\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > /where && sleep 2\nRUN --mount=type=ssh,id=other test -z "$SSH_AUTH_SOCK"\nCMD cat /where; test ! -e /run\n',
  });
  const building = ok('buildx', folder, '--ssh', `default=${agent}`, '-t', 'agent');
  const volatile = `/run/longshore-${place.instance}-build`;
  let found: string | undefined;
  for (let n = 0; found === undefined; n++) {
    assert.ok(n < 500, 'there is no socket');
    found = existsSync(volatile) ? readdirSync(volatile, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('/ssh-0')) : undefined;
    if (found === undefined) await systemClock.sleep(20);
  }
  // As a command would, from outside: its image has nothing that speaks to sockets.
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const socket = createConnection({ path: join(volatile, found) }, () => void socket.write(ask));
    socket.once('data', (data) => {
      resolve(data);
      socket.end();
    });
    socket.once('error', reject);
  });
  assert.deepEqual(answer, none);
  await building;
  assert.equal(await run('agent'), '/run/buildkit/ssh_agent.0');
  assert.deepEqual(readdirSync(volatile), []);
  const missing = await build('buildx', context({ Dockerfile: 'FROM busybox\nRUN --mount=type=ssh,required true\n' }));
  assert.match(missing.stderr, /SSH agent default: not found\n.*--ssh default/);
});

void test('buildx: outputs to files and folders, ids, metadata, named contexts, the cache’s books', { skip: noBuildx }, async () => {
  const folder = context({ Dockerfile: 'FROM scratch\nCOPY --from=more x /dir/x\nCOPY y /y\n', y: 'y', 'more/x': 'x' });
  const out = join(place.folder, 'out');
  const more = ['--build-context', `more=${join(folder, 'more')}`];
  await ok('buildx', folder, ...more, '-o', `type=local,dest=${out}`);
  assert.deepEqual([readFileSync(join(out, 'dir/x'), 'utf8'), readFileSync(join(out, 'y'), 'utf8')], ['x', 'y']);
  await ok('buildx', folder, ...more, '-o', `type=tar,dest=${out}.tar`);
  assert.ok(statSync(`${out}.tar`).size > 1024);
  await ok('buildx', folder, ...more, '-t', 'exported:1', '-o', `type=docker,dest=${out}.image`);
  assert.match((await docker(place, ['load', '-i', `${out}.image`])).stdout, /Loaded image: exported:1/);
  await ok('buildx', folder, ...more, '-t', 'exported:2', '--iidfile', `${out}.id`, '--metadata-file', `${out}.json`);
  const id = (await docker(place, ['images', '-q', '--no-trunc', 'exported:2'])).stdout.trim();
  assert.equal(readFileSync(`${out}.id`, 'utf8').trim(), id);
  const metadata = JSON.parse(readFileSync(`${out}.json`, 'utf8')) as Record<string, string>;
  assert.equal(metadata['image.name'], 'docker.io/library/exported:2');
  assert.equal(metadata['containerimage.digest'], id);
  assert.match((await docker(place, ['buildx', 'du'])).stdout, /Reclaimable:/);
  assert.match((await docker(place, ['buildx', 'prune', '-f', '--filter', 'nothing=x'])).stderr, /invalid filter 'nothing==x'/);
  assert.match((await docker(place, ['buildx', 'prune', '-f', '--filter', 'type=frontend'])).stdout, /Total:\s+0B/);
  assert.match((await docker(place, ['buildx', 'du'])).stdout, /Reclaimable:\s+[1-9]/, 'only what the filter names goes');
  await docker(place, ['builder', 'prune', '-af']);
  assert.match((await docker(place, ['buildx', 'du'])).stdout, /Total:\s+0B/);
  assert.equal((await docker(place, ['image', 'inspect', 'exported:2'])).code, 0, 'images outlive the cache');
});

void test('buildx: annotations are in the manifest; what would be ignored is refused by its name', { skip: noBuildx }, async () => {
  const folder = context({ Dockerfile: 'FROM busybox\nCMD ["true"]\n' });
  await ok('buildx', folder, '--output', 'type=image,name=noted:1', '--annotation', 'team=a b', '--annotation', 'manifest:rank=2');
  const { manifestDigest } = await engine.images.get('noted:1');
  const manifest = JSON.parse((await engine.images.content.read(manifestDigest)).toString('utf8')) as { annotations?: unknown };
  assert.deepEqual(manifest.annotations, { team: 'a b', rank: '2' });
  assert.match(await ok('buildx', folder, '--cache-from', 'type=registry,ref=127.0.0.1:1/x'), /--cache-from is not read/);
  const refused: readonly (readonly [string[], RegExp])[] = [
    [['--check'], /--check is not supported by this builder\n.*Build without --call and --check/],
    [['--call', 'outline'], /--call outline is not supported/],
    [['--output', 'type=image,name=x', '--annotation', 'manifest-descriptor:a=b'], /annotations of anything but the manifest are not supported/],
    [['--output', 'type=image,name=x,compression=zstd'], /--output type=image,compression=zstd is not supported/],
    [['--output', `type=oci,tar=false,dest=${join(place.folder, 'layout')}`], /tar=false/],
    [['--cache-to', 'type=inline'], /--cache-to type=inline/],
    [['--ulimit', 'nofile=10'], /--ulimit is not supported/],
    [['--platform', 'linux/amd64,linux/arm64'], /several platforms at once/],
  ];
  for (const [args, message] of refused) {
    const ran = await build('buildx', folder, ...args);
    assert.equal(ran.code, 1, `${args.join(' ')}: ${ran.stderr}`);
    assert.match(ran.stderr, message);
  }
  assert.match((await docker(place, ['buildx', 'history', 'ls'])).stderr, /no history of builds is kept/);
});

void test('buildx: bake builds what its file names, each with its own output', { skip: noBuildx }, async () => {
  const folder = context({
    Dockerfile:
      'FROM busybox AS base\nARG WHO=nobody\nRUN echo "hello $WHO" > /out\nFROM scratch AS files\nCOPY --from=base /out /\nFROM base\nCMD ["cat", "/out"]\n',
    'docker-bake.json': JSON.stringify({
      group: { default: { targets: ['files', 'image'] } },
      target: {
        files: { context: '.', target: 'files', output: ['type=local,dest=baked'] },
        image: { context: '.', tags: ['baked:1'], args: { WHO: 'baker' } },
      },
    }),
  });
  // Paths in the file are the caller's.
  const [cwd, ...args] = [process.cwd(), 'buildx', 'bake', '--progress=plain', '--allow', 'fs=*', '-f', join(folder, 'docker-bake.json')];
  process.chdir(folder);
  const ran = await docker(place, args).finally(() => process.chdir(cwd));
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(await run('baked:1'), 'hello baker');
  assert.equal(readFileSync(join(folder, 'baked/out'), 'utf8'), 'hello nobody\n');
});

void test('buildx: a build that is cancelled ends its command', { skip: noBuildx }, async () => {
  const folder = context({ Dockerfile: 'FROM busybox\nRUN echo started && sleep 1000\n' });
  const { spawn } = await import('node:child_process');
  const child = spawn('docker', ['build', '--progress=plain', folder], {
    env: { ...process.env, DOCKER_BUILDKIT: '1', DOCKER_HOST: `unix://${place.socket}`, DOCKER_CONFIG: join(place.folder, 'config') },
  });
  await new Promise<void>((resolve) => {
    let text = '';
    child.stderr.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (/\d started/.test(text)) resolve();
    });
  });
  assert.equal(engine.containers.list({ owner: 'build' }).length, 1);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGINT');
  await ended;
  for (let n = 0; engine.containers.list({ owner: 'build' }).length > 0; n++) {
    assert.ok(n < 200, 'its container is still there');
    await systemClock.sleep(50);
  }
});
