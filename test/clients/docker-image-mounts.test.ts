// docker run --mount type=image: the files of an image in a container of another.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
  await engine.ok(
    'run',
    '--name',
    'maker',
    'busybox',
    'sh',
    '-c',
    'mkdir -p /data/sub && echo bar > /data/foo && echo world > /data/sub/hello && ln -s ../.. /data/up && ln -s sub /data/near',
  );
  await engine.ok('commit', 'maker', 'files:1');
  await engine.ok('rm', 'maker');
});
after(() => engine.close());

const mount = (...more: string[]): string => ['type=image', 'source=files:1', 'target=/image', ...more].join(',');

test('all of an image, a folder of it, a file of it; nothing of it can be written', async () => {
  assert.equal(await engine.ok('run', '--rm', '--mount', mount(), 'busybox', 'cat', '/image/data/foo'), 'bar');
  assert.equal(await engine.ok('run', '--rm', '--mount', mount('image-subpath=data/near'), 'busybox', 'ls', '/image'), 'hello');
  assert.equal(await engine.ok('run', '--rm', '--mount', mount('image-subpath=data/sub/hello'), 'busybox', 'cat', '/image'), 'world');
  assert.match((await engine.docker('run', '--rm', '--mount', mount(), 'busybox', 'touch', '/image/new')).stderr, /Read-only file system/);
  assert.match(
    (await engine.docker('run', '--rm', '--mount', mount('image-subpath=data/up/etc'), 'busybox', 'true')).stderr,
    /leads through a link out of the image/,
  );
  assert.match(
    (await engine.docker('run', '--rm', '--mount', mount('image-subpath=nothing'), 'busybox', 'true')).stderr,
    /cannot access path .*nothing/,
  );
  assert.match(
    (await engine.docker('run', '--rm', '--mount', mount('image-subpath=../etc'), 'busybox', 'true')).stderr,
    /subpath must be a relative path within the volume/,
  );
  assert.match(
    (await engine.docker('run', '--rm', '--mount', 'type=image,source=none:1,target=/image', 'busybox', 'true')).stderr,
    /No such image: none:1/,
  );
});

test('an image that is mounted is in use; taken away by force it stays with its container', async () => {
  await engine.ok(
    'create',
    '--name',
    'holds',
    '--mount',
    mount(),
    '--mount',
    'type=image,source=files:1,target=/again',
    'busybox',
    'sh',
    '-c',
    'cat /image/data/foo /again/data/sub/hello',
  );
  assert.match(
    await engine.ok('inspect', '-f', '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}};{{end}}', 'holds'),
    /image files:1 \/image false;/,
  );
  assert.equal(await engine.ok('start', '-a', 'holds'), 'bar\nworld');
  assert.match((await engine.docker('rmi', 'files:1')).stderr, /container [0-9a-f]{12} is using its referenced image/);
  await engine.ok('image', 'prune', '-af');
  await engine.ok('rmi', '-f', 'files:1');
  assert.equal(await engine.ok('start', '-a', 'holds'), 'bar\nworld');
  await engine.ok('rm', 'holds');
  await eventually('its layers are gone', async () => (await readdir(join(engine.folder, 'engine/images/active'))).length === 0);
});
