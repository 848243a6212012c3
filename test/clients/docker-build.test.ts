// docker build, by the classic endpoint and by buildx where it is on the machine: the same Dockerfiles give the same images.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { noBuildx, startBuildEngine } from './build-engine.ts';
import type { BuildEngine, Door } from './build-engine.ts';
import { docker } from './docker-engine.ts';
import type { Place } from './docker-engine.ts';

let builds: BuildEngine;
let place: Place;

before(async () => {
  builds = await startBuildEngine();
  ({ place } = builds);
});
after(() => builds.close());

const context: BuildEngine['context'] = (files) => builds.context(files);
const build: BuildEngine['build'] = (door, folder, ...args) => builds.build(door, folder, ...args);
const ok: BuildEngine['ok'] = (door, folder, ...args) => builds.ok(door, folder, ...args);
const run: BuildEngine['run'] = (...args) => builds.run(...args);

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

void test('what is built is an image of this engine at once, and the same by both doors', { skip: noBuildx }, async () => {
  const folder = context({ Dockerfile: 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /x\nCMD cat /x\n' });
  await ok('buildx', folder, '-t', 'same:buildx');
  await ok('classic', folder, '-t', 'same:classic');
  const ids = (await docker(place, ['images', '-q', '--no-trunc', 'same'])).stdout.trim().split('\n');
  assert.equal(new Set(ids).size, 1);
  rmSync(folder, { recursive: true });
});
