// docker build, by the classic endpoint and by buildx where it is on the machine: the same Dockerfiles give the same images.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createConnection, createServer as createUnixServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openBuilder } from '../../src/app/builder.ts';
import { openEngine } from '../../src/app/engine.ts';
import type { Engine } from '../../src/app/engine.ts';
import type { Builder } from '../../src/engine/build/build.ts';
import type { DockerApi } from '../../src/engine/docker-api/server.ts';
import type { Host } from '../../src/host/host.ts';
import { openHost } from '../../src/host/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { docker, importBusybox, newPlace, takeDown } from './docker-engine.ts';
import type { Place, Ran } from './docker-engine.ts';

let place: Place;
let host: Host;
let engine: Engine;
let builder: Builder;
let api: DockerApi;
let contexts = 0;

/** buildx where tools/clients.sh puts it, or where docker keeps its plug-ins. */
const cache = process.env['LONGSHORE_CLIENTS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'longshore/clients');
const buildx = [
  ...(existsSync(cache)
    ? readdirSync(cache)
        .filter((name) => /^buildx-v[\d.]+$/.test(name))
        .map((name) => join(cache, name))
    : []),
  '/usr/libexec/docker/cli-plugins/docker-buildx',
  '/usr/lib/docker/cli-plugins/docker-buildx',
  join(homedir(), '.docker/cli-plugins/docker-buildx'),
].find((path) => existsSync(path));
const noBuildx = buildx === undefined ? 'buildx is not on this machine' : false;

before(async () => {
  place = await newPlace();
  host = await openHost();
  const options = {
    folder: join(place.folder, 'engine'),
    instance: place.instance,
    host,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    networkPool: place.pool,
  };
  engine = await openEngine(options);
  await engine.containers.recover();
  builder = await openBuilder(engine, options);
  api = engine.dockerApi(builder);
  await api.listen(place.socket);
  await importBusybox(engine);
  if (buildx !== undefined) {
    mkdirSync(join(place.folder, 'config/cli-plugins'), { recursive: true });
    symlinkSync(buildx, join(place.folder, 'config/cli-plugins/docker-buildx'));
  }
});

after(async () => {
  await api.close();
  await builder.close();
  for (const container of engine.containers.list()) await engine.containers.remove(container.id, { force: true, volumes: true });
  await engine.close({ stopContainers: true });
  await takeDown(place, engine, host);
});

function context(files: Readonly<Record<string, string>>): string {
  const folder = join(place.folder, `context-${contexts++}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

type Door = 'classic' | 'buildx';

function build(door: Door, folder: string, ...args: string[]): Promise<Ran> {
  process.env['DOCKER_BUILDKIT'] = door === 'classic' ? '0' : '1';
  return docker(place, ['build', ...(door === 'buildx' ? ['--progress=plain'] : []), ...args, folder]);
}

async function ok(door: Door, folder: string, ...args: string[]): Promise<string> {
  const ran = await build(door, folder, ...args);
  assert.equal(ran.code, 0, ran.stderr + ran.stdout);
  return ran.stdout + ran.stderr;
}

async function run(...args: string[]): Promise<string> {
  const ran = await docker(place, ['run', '--rm', ...args]);
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout.trim();
}

async function config(image: string): Promise<Record<string, unknown>> {
  const ran = await docker(place, ['image', 'inspect', '-f', '{{json .Config}}', image]);
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

/** The same through both doors. */
function both(name: string, body: (door: Door, t: TestContext) => Promise<void>): void {
  void test(`${name}, by the classic endpoint`, (t) => body('classic', t));
  void test(`${name}, by buildx`, { skip: noBuildx }, (t) => body('buildx', t));
}

both('stages, variables, files and configuration', async (door) => {
  const folder = context({
    Dockerfile: `
ARG BASE=busybox
FROM \${BASE} AS first
ARG WHO=nobody
ENV GREETING="hello $WHO"
RUN echo "$GREETING" > /greeting
FROM first
LABEL one=1 "two words"="x y"
WORKDIR /srv/app
USER web
COPY --chown=web:www . .
COPY --from=first /greeting /from/first
COPY --chmod=640 a.txt /modes/
RUN id -un > /tmp/who
EXPOSE 80 1000-1001/udp
VOLUME /data
HEALTHCHECK --interval=5s --retries=2 CMD true
STOPSIGNAL SIGINT
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat /greeting /from/first /tmp/who; find . -type f | sort; ls -ln a.txt /modes/a.txt"]
`,
    'a.txt': 'a',
    'sub/b.txt': 'b',
    'skip.log': '',
    'keep.log': '',
    '.dockerignore': '*.log\n!keep.log\nDockerfile\n',
  });
  await ok(door, folder, '-t', `one-${door}`, '--build-arg', 'WHO=moon', '--label', 'given=yes');
  const lines = (await run(`one-${door}`)).split('\n');
  assert.deepEqual(lines.slice(0, 3), ['hello moon', 'hello moon', 'web']);
  assert.deepEqual(lines.slice(3).filter((line) => line.startsWith('./') && line !== './.dockerignore'), ['./a.txt', './keep.log', './sub/b.txt']);
  assert.match(lines.at(-2)!, /^-rw-r--r--\s+1 0\s+0 .*|^-rw-r-----\s+1 0\s+0 .*modes/);
  const { Labels, ExposedPorts, Volumes, WorkingDir, User, StopSignal, Healthcheck, Entrypoint } = await config(`one-${door}`);
  assert.deepEqual({ Labels, ExposedPorts, Volumes, WorkingDir, User, StopSignal, Healthcheck, Entrypoint }, {
    Labels: { one: '1', 'two words': 'x y', given: 'yes' },
    ExposedPorts: { '80/tcp': {}, '1000/udp': {}, '1001/udp': {} },
    Volumes: { '/data': {} },
    WorkingDir: '/srv/app',
    User: 'web',
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9, Retries: 2 },
    Entrypoint: ['/bin/sh', '-c'],
  });
});

both('independent stages run side by side, and only those that are needed', async (door) => {
  const folder = context({
    Dockerfile:
      'FROM busybox AS a\nRUN sleep 1; cat /proc/uptime > /t\nFROM busybox AS b\nRUN sleep 1; cat /proc/uptime > /t\nFROM busybox AS never\nRUN false\nFROM busybox\nCOPY --from=a /t /a\nCOPY --from=b /t /b\nCMD cat /a /b\n',
  });
  await ok(door, folder, '--no-cache', '-t', `side-${door}`);
  const [a, b] = (await run(`side-${door}`)).split('\n').map((line) => parseFloat(line));
  const apart = Math.abs(a! - b!);
  assert.ok(apart < 0.9, `${apart} s apart`);
  assert.equal((await build(door, folder, '--target', 'never')).code === 0, false);
});

both('the cache: what has not changed is not done again, by content and not by time', async (door) => {
  const folder = context({
    Dockerfile: `FROM busybox\nENV DOOR=${door}\nRUN cat /proc/sys/kernel/random/uuid > /one\nCOPY a /a\nRUN cat /proc/sys/kernel/random/uuid > /two\nCMD cat /one /two\n`,
    a: 'a',
  });
  await ok(door, folder, '-t', `cache-${door}`);
  const first = await run(`cache-${door}`);
  writeFileSync(join(folder, 'a'), 'a');
  writeFileSync(join(folder, 'other'), 'not copied');
  const again = await ok(door, folder, '-t', `cache-${door}`);
  assert.match(again, /CACHED|Using cache/);
  assert.equal(await run(`cache-${door}`), first);
  writeFileSync(join(folder, 'a'), 'b');
  await ok(door, folder, '-t', `cache-${door}`);
  const changed = await run(`cache-${door}`);
  assert.equal(changed.split('\n')[0], first.split('\n')[0]);
  assert.notEqual(changed.split('\n')[1], first.split('\n')[1]);
  await ok(door, folder, '--no-cache', '-t', `cache-${door}`);
  assert.notEqual((await run(`cache-${door}`)).split('\n')[0], first.split('\n')[0]);
});

both('a command that fails, and other mistakes, are told with place and cause', async (door) => {
  const cases: [string, RegExp][] = [
    [
      'FROM busybox\nRUN echo before; exit 7',
      door === 'classic'
        ? /The command '\/bin\/sh -c echo before; exit 7' returned a non-zero code: 7/
        : /process "\/bin\/sh -c echo before; exit 7" did not complete successfully: exit code: 7/,
    ],
    ['FROM busybox\nCOPY missing /x', /"\/missing": not found/],
    ['FROM busybox\nRUNN x', /dockerfile parse error on line 2: unknown instruction: RUNN \(did you mean RUN\?\)/],
    ['FROM busybox\nCOPY x', /COPY requires at least two arguments, but only one was provided/],
    ['FROM busybox AS a\nCOPY --from=5 /x /y', /invalid stage index 5/],
    ['FROM 127.0.0.1:1/none', /can't reach the registry 127.0.0.1:1: connection refused/],
    ['FROM Busybox', /invalid reference format: repository name \(library\/Busybox\) must be lowercase/],
    ['FROM busybox\nUSER nobody-here\nRUN id', /unable to find user nobody-here/],
    ['FROM busybox\nRUN --mount=type=secret,id=none,required=true true', /secret none: not found/],
    ['FROM busybox\nADD https://github.com/a/b.git /x', /fetching from git is not supported/],
    ['', /file with no instructions|cannot be empty/],
  ];
  for (const [text, message] of cases) {
    const ran = await build(door, context({ Dockerfile: text }));
    assert.notEqual(ran.code, 0, text);
    assert.match(ran.stderr + ran.stdout, message, text);
  }
  assert.equal((await build('classic', context({ Dockerfile: 'FROM busybox\nRUN exit 7' }))).code, 7);
});

both('heredocs, archives, addresses and triggers', async (door, t) => {
  const server = createServer((_request, response) => void response.end('fetched'));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => server.close());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.txt`;
  const folder = context({
    Dockerfile: `
FROM busybox AS base
ONBUILD COPY trigger /triggered
FROM base AS built
ENV A=b
RUN <<EOF
echo "script $A" > /script
EOF
RUN cat <<ONE > /both && cat <<TWO >> /both
$A
ONE
two
TWO
COPY <<FILE /files/expanded
has $A
FILE
COPY <<"FILE" /files/literal
has $A
FILE
ADD archive.tar /unpacked/
ADD ${address} /
CMD cat /script /both /files/expanded /files/literal /unpacked/inner /file.txt /triggered
`,
    trigger: ' trigger',
  });
  const { execFileSync } = await import('node:child_process');
  writeFileSync(join(folder, 'inner'), 'inner\n');
  execFileSync('tar', ['-C', folder, '-cf', join(folder, 'archive.tar'), 'inner']);
  await ok(door, folder, '-t', `docs-${door}`, '--target', 'base');
  writeFileSync(join(folder, 'Dockerfile'), readFileSync(join(folder, 'Dockerfile'), 'utf8').replace('FROM base AS built', `FROM docs-${door} AS built`));
  await ok(door, folder, '-t', `docs2-${door}`);
  assert.equal(await run(`docs2-${door}`), 'script b\nb\ntwo\nhas b\nhas $A\ninner\nfetched trigger');
});

both('a stage hands its triggers to the stages that build on it, and no further', async (door) => {
  const folder = context({
    Dockerfile: `
FROM busybox AS one
ONBUILD RUN echo $WHO > /made
ONBUILD ENV FROM=one
FROM one AS two
RUN cat /made
FROM two
CMD echo "$FROM $(cat /made)"
`,
  });
  await ok(door, folder, '-t', `triggers-${door}`);
  assert.equal(await run(`triggers-${door}`), 'one');
  assert.equal((await config(`triggers-${door}`))['OnBuild'] ?? null, null);
});

both('a context that reaches outside finds nothing there', async (door) => {
  const folder = context({ Dockerfile: 'FROM busybox\nCOPY link /copied\nCOPY ../secret /a', safe: '' });
  writeFileSync(join(place.folder, 'secret'), 'host secret');
  symlinkSync('../secret', join(folder, 'link'));
  const ran = await build(door, folder);
  assert.notEqual(ran.code, 0);
  assert.match(ran.stderr + ran.stdout, /not found/);
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nCOPY ../../../../etc/hostname /a\n');
  assert.match((await build(door, folder)).stderr, /"\/etc\/hostname": not found/);
  // A destination whose folder is a link to the host's.
  writeFileSync(
    join(folder, 'Dockerfile'),
    `FROM busybox\nRUN ln -s ${place.folder} /out && ln -s / /up\nCOPY safe /out/escaped\nCOPY safe /up/../up/escaped2\nADD archive.tar /out/\nRUN test -e ${place.folder}/escaped && test -e /escaped2\n`,
  );
  const { execFileSync } = await import('node:child_process');
  execFileSync('tar', ['-C', folder, '-cf', join(folder, 'archive.tar'), 'safe']);
  await ok(door, folder);
  assert.deepEqual([existsSync(join(place.folder, 'escaped')), existsSync(join(place.folder, 'safe')), existsSync('/escaped2')], [false, false, false]);
});

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
  const folder = context({ Dockerfile: 'FROM busybox\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "$SSH_AUTH_SOCK" > /where && sleep 2\nRUN --mount=type=ssh,id=other test -z "$SSH_AUTH_SOCK"\nCMD cat /where; test ! -e /run\n' });
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
  assert.equal((JSON.parse(readFileSync(`${out}.json`, 'utf8')) as Record<string, string>)['image.name'], 'docker.io/library/exported:2');
  assert.match((await docker(place, ['buildx', 'du'])).stdout, /Reclaimable:/);
  await docker(place, ['builder', 'prune', '-af']);
  assert.match((await docker(place, ['buildx', 'du'])).stdout, /Total:\s+0B/);
  assert.equal((await docker(place, ['image', 'inspect', 'exported:2'])).code, 0, 'images outlive the cache');
});

both('a Dockerfile that is empty is refused as such, and an image that is made is announced', async (door) => {
  const empty = await build(door, context({ Dockerfile: '' }));
  assert.notEqual(empty.code, 0);
  assert.match(empty.stderr, /the Dockerfile cannot be empty/);
  const from = String(systemClock.now() / 1000);
  await ok(door, context({ Dockerfile: `FROM busybox\nLABEL door=${door}\n` }), '-t', `announced:${door}`);
  const events = await docker(place, [
    'events',
    '--since',
    from,
    '--until',
    String(systemClock.now() / 1000),
    '--filter',
    'type=image',
    '--format',
    '{{.Action}} {{index .Actor.Attributes "name"}}',
  ]);
  const id = (await docker(place, ['images', '-q', '--no-trunc', `announced:${door}`])).stdout.trim();
  assert.equal(events.stdout.trim(), `create ${id}\ntag announced:${door}`);
});

void test('buildx: annotations are in the manifest; what would be ignored is refused by its name', { skip: noBuildx }, async () => {
  const folder = context({ Dockerfile: 'FROM busybox\nCMD ["true"]\n' });
  await ok('buildx', folder, '--output', 'type=image,name=noted:1', '--annotation', 'team=a b', '--annotation', 'manifest:rank=2');
  const { manifestDigest } = await engine.images.get('noted:1');
  const manifest = JSON.parse((await engine.images.content.read(manifestDigest)).toString('utf8')) as { annotations?: unknown };
  assert.deepEqual(manifest.annotations, { team: 'a b', rank: '2' });
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

void test('what is built is an image of this engine at once, and the same by both doors', { skip: noBuildx }, async () => {
  const folder = context({ Dockerfile: 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /x\nCMD cat /x\n' });
  await ok('buildx', folder, '-t', 'same:buildx');
  await ok('classic', folder, '-t', 'same:classic');
  const ids = (await docker(place, ['images', '-q', '--no-trunc', 'same'])).stdout.trim().split('\n');
  assert.equal(new Set(ids).size, 1);
  rmSync(folder, { recursive: true });
});
