// Images and containers that attack their host. Each case wants a clear refusal, or that nothing outside is touched, and the engine serving on.
import assert from 'node:assert/strict';
import { lstat, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import type { ImageConfig } from '../../src/engine/images/images.ts';
import { packTar } from '../../src/lib/tar.ts';
import type { PackEntry, TarEntryType } from '../../src/lib/tar.ts';
import { docker, startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

let engine: TestEngine;
let outside: string;
before(async () => {
  engine = await startEngine();
  outside = await mkdtemp(join(tmpdir(), 'ls-outside-'));
  await writeFile(join(outside, 'secret'), 'of the host');
});
after(async () => {
  await rm(outside, { recursive: true, force: true });
  await engine.close();
});

function entry(name: string, type: TarEntryType, more: { readonly linkname?: string; readonly body?: Buffer } = {}): PackEntry {
  return {
    header: {
      name,
      type,
      mode: type === 'directory' ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      mtime: 0,
      size: more.body?.length ?? 0,
      ...(more.linkname === undefined ? {} : { linkname: more.linkname }),
    },
    ...(more.body === undefined ? {} : { body: more.body }),
  };
}

/** An image of busybox with something on top. */
async function imageWith(name: string, entries: readonly PackEntry[], config: ImageConfig = {}): Promise<void> {
  await engine.ok('create', '--name', 'base', 'busybox');
  const exported = await engine.engine.containers.archive('base', '/bin/.');
  const { readTar } = await import('../../src/lib/tar.ts');
  async function* all(): AsyncGenerator<PackEntry, void, void> {
    for await (const item of readTar(exported.tar() as AsyncIterable<Uint8Array>)) {
      const pieces: Buffer[] = [];
      for await (const piece of item.body) pieces.push(Buffer.from(piece));
      const body = Buffer.concat(pieces);
      yield { header: { ...item.header, name: `bin/${item.header.name}` }, ...(body.length > 0 ? { body } : {}) };
    }
    yield* entries;
  }
  await engine.engine.images.import(Readable.from(packTar(all())), { reference: `docker.io/library/${name}:latest`, config: { Cmd: ['true'], ...config } });
  await engine.ok('rm', 'base');
}

test('working directories through /proc are refused, also by way of links in the image', async () => {
  for (const cwd of ['/proc/self/fd/7', '/proc/x/../self/fd/8', '/proc/1/root']) {
    assert.match((await engine.docker('run', '--rm', '-w', cwd, 'busybox', 'ls')).stderr, /leads through \/proc/);
  }
  // Detours are taken out of the text before anybody follows it: this is but the container's own /proc.
  assert.equal(await engine.ok('run', '--rm', '-w', '/proc/self/fd/8/../../..', 'busybox', 'pwd'), '/proc');
  await imageWith(
    'sneaky',
    [
      entry('proc', 'directory'),
      entry('proc/self', 'directory'),
      entry('proc/self/fd', 'directory'),
      entry('proc/self/fd/7', 'directory'),
      entry('work', 'symlink', { linkname: '/proc/self/fd/7' }),
    ],
    { WorkingDir: '/work' },
  );
  const ran = await engine.docker('run', '--rm', 'sneaky', 'ls');
  assert.notEqual(ran.code, 0);
  assert.match(ran.stderr, /leads through \/proc|can't be made/);
  await engine.ok('run', '-d', '--name', 'victim', 'busybox', 'sleep', '1000');
  assert.notEqual((await engine.docker('exec', '-w', '/proc/self/fd/7', 'victim', 'ls')).code, 0);
  await engine.ok('rm', '-f', 'victim');
});

test('/proc, /sys and /dev of the image being links do not lead mounts out', async () => {
  await imageWith('linked', [entry('proc', 'symlink', { linkname: outside }), entry('dev', 'symlink', { linkname: outside })]);
  const ran = await engine.docker('run', '--rm', 'linked', 'true');
  assert.notEqual(ran.code, 0);
  assert.deepEqual(await readdir(outside), ['secret']);
});

test('a user database that is huge, a fifo or a link outside is bounded', async () => {
  await imageWith('bigpasswd', [entry('etc', 'directory'), entry('etc/passwd', 'file', { body: Buffer.alloc(6 << 20, 'x:x:1:1::/:\n') })]);
  assert.match((await engine.docker('run', '--rm', '-u', 'x', 'bigpasswd', 'true')).stderr, /larger than 4 MiB/);
  await imageWith('fifopasswd', [entry('etc', 'directory'), entry('etc/passwd', 'fifo')]);
  assert.match((await engine.docker('run', '--rm', '-u', 'x', 'fifopasswd', 'true')).stderr, /unable to find user x/);
  await imageWith('linkpasswd', [entry('etc', 'directory'), entry('etc/passwd', 'symlink', { linkname: '/../../../../etc/passwd' })]);
  assert.match((await engine.docker('run', '--rm', '-u', 'daemon', 'linkpasswd', 'true')).stderr, /unable to find user daemon/);
});

test('configuration is data: ids out of range, lines in the environment, volumes that climb', async () => {
  assert.match((await engine.docker('run', '--rm', '-u', '4294967296', 'busybox', 'id')).stderr, /uids and gids must be in range 0-2147483647/);
  await imageWith('odd', [], { Env: ['A=one\ntwo', 'PATH=/bin'], User: '4294967296', Volumes: { '/../../../etc': {} } });
  assert.match((await engine.docker('run', '--rm', 'odd', 'true')).stderr, /must be in range/);
  assert.equal(await engine.ok('run', '--rm', '-u', '0', 'odd', 'sh', '-c', 'echo "$A"; ls -d /etc'), 'one\ntwo\n/etc');
  await engine.ok('volume', 'prune', '-f');
});

test("cp follows the container's links inside of the container alone", async () => {
  await engine.ok(
    'run',
    '-d',
    '--name',
    'links',
    'busybox',
    'sh',
    '-c',
    `ln -s / /up; ln -s ${outside} /away; ln -s ../../../../../../../..${outside} /climb; sleep 1000`,
  );
  for (const path of [`links:/away/secret`, 'links:/climb/secret', `links:/up${outside}/secret`]) {
    const out = await docker(engine, ['cp', path, '-']);
    assert.doesNotMatch(out.stdout, /of the host/);
    assert.notEqual(out.code, 0);
  }
  await writeFile(join(outside, 'payload'), 'payload');
  const before = await readdir(outside);
  for (const path of ['links:/away/planted', 'links:/climb/planted', 'links:/away/']) {
    assert.notEqual((await docker(engine, ['cp', join(outside, 'payload'), path])).code, 0, path);
  }
  assert.deepEqual(await readdir(outside), before);
  await engine.ok('rm', '-f', 'links');
});

test('archives that climb, link or overwrite their way out are refused or stay inside', async () => {
  await engine.ok('create', '--name', 'target', 'busybox');
  const put = async (...entries: PackEntry[]): Promise<void> => engine.engine.containers.extract('target', '/tmp', Readable.from(packTar(entries)));
  const body = Buffer.from('x');
  await assert.rejects(put(entry('../../escape', 'file', { body })), /leads out/);
  await assert.rejects(put(entry('a/../../../escape', 'file', { body })), /leads out/);
  await assert.rejects(put(entry('link', 'symlink', { linkname: outside }), entry('link/planted', 'file', { body })), /link that leads nowhere/);
  assert.ok(!(await readdir(outside)).includes('planted'));
  await put(entry('hard', 'symlink', { linkname: '/../../../../../../etc' }), entry('hard/made-by-archive', 'file', { body }));
  await assert.rejects(lstat('/etc/made-by-archive'), { code: 'ENOENT' });
  await assert.rejects(put(entry('copy', 'link', { linkname: '../../../../etc/shadow' })), /leads out/);
  await engine.ok('rm', 'target');
});

test('a folder that is swapped for a link again and again while it is copied leads nowhere else', async () => {
  await engine.ok(
    'run',
    '-d',
    '--name',
    'swapper',
    'busybox',
    'sh',
    '-c',
    `mkdir -p /d/real; echo inside > /d/real/secret; cd /d; while :; do rm -rf x; ln -s ${outside} x; rm -f x; mkdir x; echo inside > x/secret; done`,
  );
  for (let i = 0; i < 40; i++) {
    const out = await docker(engine, ['cp', 'swapper:/d', '-']);
    assert.doesNotMatch(out.stdout, /of the host/);
    await docker(engine, ['cp', join(outside, 'payload'), 'swapper:/d/x/planted']);
  }
  assert.deepEqual((await readdir(outside)).sort(), ['payload', 'secret']);
  await engine.ok('rm', '-f', 'swapper');
});

test('a fork bomb and a memory hog are held by their limits, and neighbours are served', async () => {
  await engine.ok('run', '-d', '--name', 'bomb', '--pids-limit', '30', '--cpus', '0.5', 'busybox', 'sh', '-c', 'bomb() { bomb | bomb & }; bomb; sleep 1000');
  assert.equal(await engine.ok('run', '--rm', 'busybox', 'echo', 'served'), 'served');
  await engine.ok('rm', '-f', 'bomb');
});
