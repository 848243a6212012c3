import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { docker, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
let folder: string;
before(async () => {
  engine = await startEngine();
  folder = await mkdtemp(join(tmpdir(), 'ls-images-'));
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
  await engine.close();
});

test('images, tag, inspect, history, rmi', async () => {
  assert.match(await engine.ok('images', '--format', '{{.Repository}}:{{.Tag}}'), /^busybox:latest$/);
  await engine.ok('tag', 'busybox', 'other/name:v1');
  assert.equal(
    await engine.ok('image', 'inspect', '-f', '{{.RepoTags}} {{.Os}} {{.Config.Cmd}}', 'other/name:v1'),
    '[busybox:latest other/name:v1] linux [sh]',
  );
  assert.equal(await engine.ok('images', '-q', '--filter', 'reference=other/*'), await engine.ok('images', '-q', 'busybox'));
  assert.match(await engine.ok('history', '--format', '{{.Comment}}{{.CreatedBy}}', 'busybox'), /\S/);
  assert.equal(await engine.ok('rmi', 'other/name:v1'), 'Untagged: other/name:v1');
  const missing = await engine.docker('image', 'inspect', 'nothing');
  assert.match(missing.stderr, /No such image: nothing/);
});

test('an image in use is kept', async () => {
  await engine.ok('create', '--name', 'holder', 'busybox');
  const refused = await engine.docker('rmi', 'busybox');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /conflict|using|used/);
  await engine.ok('rm', 'holder');
});

test('lists by reference, age and label; prunes by them; a name of a digest algorithm is refused', async () => {
  await engine.ok('create', '--name', 'aged', 'busybox');
  const ids: string[] = [];
  for (const n of [0, 1, 2]) ids.push((await engine.ok('commit', '-c', `LABEL rank=${n}`, 'aged', `aged/app:v${n}`)).trim());
  const list = (...filters: string[]): Promise<string> =>
    engine.ok('images', '--no-trunc', '--format', '{{.Tag}}', ...filters.flatMap((filter) => ['--filter', filter]));
  assert.equal(await list('reference=docker.io/aged/app'), 'v2\nv1\nv0');
  assert.equal(await list('reference=docker.io/aged/*:v1'), 'v1');
  assert.equal(await list('reference=aged/app', `since=${ids[0]!}`, `before=${ids[2]!}`), 'v1');
  const created = await engine.ok('image', 'inspect', '-f', '{{.Created}}', 'aged/app:v1');
  assert.equal(await list('reference=aged/app', `until=${created}`, 'until=1ms'), 'v0', 'older than the earliest of both');
  assert.equal(await list('label=rank=2'), 'v2');
  const ambiguous = await engine.docker('tag', 'busybox', 'sha256:abc');
  assert.match(ambiguous.stderr, /refusing to create an ambiguous tag using digest algorithm as name/);

  await engine.ok('rm', 'aged');
  assert.match(await engine.ok('image', 'prune', '-a', '-f', '--filter', 'label=rank=2', '--filter', 'until=1h'), /Total reclaimed space: 0B/);
  assert.match(await engine.ok('image', 'prune', '-a', '-f', '--filter', 'label=rank=2'), /untagged: aged\/app:v2/);
  assert.equal(await list('reference=aged/app'), 'v1\nv0');
  await engine.ok('image', 'prune', '-a', '-f', '--filter', 'label!=rank=1', '--filter', 'label=rank');
  assert.equal(await list('reference=aged/app'), 'v1');
  await engine.ok('image', 'prune', '-a', '-f', '--filter', `until=${created}`, '--filter', 'label=rank');
  assert.equal(await list('reference=aged/app'), '');
});

test('a name of an image that runs can be forced away, its id can not', async () => {
  await engine.ok('run', '-d', '--name', 'runs', 'busybox', 'sleep', '60');
  const id = await engine.ok('images', '-q', '--no-trunc', 'busybox');
  assert.match((await engine.docker('rmi', '-f', id)).stderr, /cannot be forced\) - image is being used by running container/);
  assert.match(await engine.ok('rmi', '-f', 'busybox'), /^Untagged: busybox:latest$/);
  await engine.ok('tag', id, 'busybox');
  await engine.ok('rm', '-f', 'runs');
});

test('save, remove, load', async () => {
  const path = join(folder, 'busybox.tar');
  const id = await engine.ok('images', '-q', '--no-trunc', 'busybox');
  await engine.ok('save', '-o', path, 'busybox');
  await engine.ok('rmi', 'busybox');
  assert.equal(await engine.ok('images', '-q'), '');
  assert.equal(await engine.ok('load', '-i', path), 'Loaded image: busybox:latest');
  // Refused at its first byte, and far longer than what the connection holds: the reason gets through all the same.
  await writeFile(path, Buffer.alloc(30_000_000, 'no archive'));
  assert.match((await engine.docker('load', '-i', path)).stderr, /^Error response from daemon: .*checksum/);
  assert.equal(await engine.ok('images', '-q', '--no-trunc', 'busybox'), id);
  assert.equal(await engine.ok('run', '--rm', 'busybox', 'echo', 'alive'), 'alive');
});

test('import with changes, export, commit', async () => {
  await engine.ok('create', '--name', 'source', 'busybox');
  const tar = join(folder, 'root.tar');
  await engine.ok('export', '-o', tar, 'source');
  const { stdout } = await promisify(execFile)('tar', ['tf', tar]);
  assert.ok(stdout.split('\n').includes('bin/busybox'));
  await engine.ok('rm', 'source');
  await engine.ok('import', '-c', 'CMD ["echo", "imported"]', '-c', 'ENV A=b', tar, 'imported:1');
  assert.equal(await engine.ok('run', '--rm', 'imported:1'), 'imported');
  assert.equal(await engine.ok('run', '--rm', 'imported:1', 'sh', '-c', 'echo $A'), 'b');
  await engine.ok('run', '--name', 'changed', 'busybox', 'sh', '-c', 'echo kept > /root/file');
  await engine.ok('commit', '-m', 'a message', '-c', 'CMD ["cat", "/root/file"]', 'changed', 'committed');
  assert.equal(await engine.ok('run', '--rm', 'committed'), 'kept');
  assert.equal(await engine.ok('image', 'inspect', '-f', '{{.Comment}}', 'committed'), 'a message');
  await engine.ok('rm', 'changed');
  await engine.ok('rmi', 'committed', 'imported:1');
  assert.match(await engine.ok('image', 'prune', '-f'), /Total reclaimed space/);
});

test('several images in one archive, by name and by the whole repository', async () => {
  await engine.ok('create', '--name', 'many', 'busybox');
  for (const name of ['many/a:1', 'many/a:2', 'many/b:1']) await engine.ok('commit', '-m', name, 'many', name);
  await engine.ok('rm', 'many');
  const path = join(folder, 'many.tar');
  await engine.ok('save', '-o', path, 'many/a', 'many/b:1');
  await engine.ok('rmi', 'many/a:1', 'many/a:2', 'many/b:1');
  assert.deepEqual((await engine.ok('load', '-i', path)).split('\n').toSorted(), [
    'Loaded image: many/a:1',
    'Loaded image: many/a:2',
    'Loaded image: many/b:1',
  ]);
  const other = await engine.docker('save', '--platform', 'linux/sparc64', '-o', path, 'many/b:1');
  assert.match(other.stderr, /was found but does not provide the specified platform \(linux\/sparc64\)/);
});

test('an import for another platform, and a platform that is none', async () => {
  const path = join(folder, 'nothing.tar');
  await writeFile(path, Buffer.alloc(1024));
  await engine.ok('import', '--platform', 'linux/sparc64', path, 'sparc:1');
  assert.equal(await engine.ok('image', 'inspect', '-f', '{{.Os}}/{{.Architecture}}', 'sparc:1'), 'linux/sparc64');
  assert.match(
    (await engine.docker('image', 'inspect', '--platform', 'linux/amd64', 'sparc:1')).stderr,
    /does not provide the specified platform \(linux\/amd64\)/,
  );
  assert.match((await engine.docker('pull', '--platform', 'foobar', '127.0.0.1:1/x')).stderr, /unknown operating system or architecture/);
  const tree = await engine.docker('image', 'ls', '--tree');
  assert.match(tree.stdout, /linux\/sparc64/);
});

test('a commit changes variables by those of the image', async () => {
  await engine.ok('create', '--name', 'env', '-e', 'PATH=/bin', 'busybox');
  await engine.ok('commit', '-c', 'ENV PATH=/opt:$PATH OTHER=${NONE:-other} PLAIN=\\$PATH', '-c', 'WORKDIR work', '-c', 'ONBUILD RUN echo', 'env', 'env:1');
  await engine.ok('rm', 'env');
  assert.equal(
    await engine.ok('image', 'inspect', '-f', '{{json .Config.Env}} {{.Config.WorkingDir}} {{.Config.OnBuild}}', 'env:1'),
    '["PATH=/opt:/bin","OTHER=other","PLAIN=$PATH"] /work [RUN echo]',
  );
});

test('cp out and in, files and folders, running and not', async () => {
  await engine.ok('run', '-d', '--name', 'files', '-v', 'vol:/vol', 'busybox', 'sleep', '1000');
  await mkdir(join(folder, 'in/deep'), { recursive: true });
  await writeFile(join(folder, 'in/deep/file'), 'content');
  await engine.ok('cp', join(folder, 'in'), 'files:/tmp/tree');
  assert.equal(await engine.ok('exec', 'files', 'cat', '/tmp/tree/deep/file'), 'content');
  await engine.ok('cp', join(folder, 'in/deep/file'), 'files:/vol/');
  assert.equal(await engine.ok('exec', 'files', 'cat', '/vol/file'), 'content');
  await engine.ok('exec', 'files', 'ln', '-s', '/tmp/tree/deep', '/tmp/link');
  await engine.ok('cp', 'files:/tmp/link/', join(folder, 'out'));
  assert.equal(await readFile(join(folder, 'out/file'), 'utf8'), 'content');
  assert.equal((await docker(engine, ['cp', '-', 'files:/tmp'], await readFile(join(folder, 'root.tar')).catch(() => Buffer.alloc(1024)))).code, 0);
  await engine.ok('stop', '-t', '0', 'files');
  await engine.ok('cp', 'files:/vol/file', join(folder, 'from-volume'));
  assert.equal(await readFile(join(folder, 'from-volume'), 'utf8'), 'content');
  await engine.ok('cp', join(folder, 'from-volume'), 'files:/tmp/tree/deep/other');
  assert.match((await engine.docker('cp', 'files:/nowhere', folder)).stderr, /Could not find the file \/nowhere in container files/);
  assert.match((await engine.docker('cp', join(folder, 'in'), 'files:/nowhere/at/all')).stderr, /no such directory|Could not find/);
  await engine.ok('rm', '-v', 'files');
  await engine.ok('volume', 'rm', 'vol');
});
