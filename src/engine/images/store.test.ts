import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { LinuxMounts } from '../../host/mounts.ts';
import { LinuxSpawner } from '../../host/spawn.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import { packTar } from '../../lib/tar.ts';
import type { PackEntry, TarHeader } from '../../lib/tar.ts';
import { chainIds, digestOf } from './digest.ts';
import type { Image } from './images.ts';
import { openImages } from './store.ts';
import type { ImageStore } from './store.ts';

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'images-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function store(t: TestContext, folder = mkdtempSync(join(tmpdir(), 'images-')), clock: Clock = systemClock): Promise<ImageStore> {
  const images = await openImages({
    folder,
    host: { mounts: new LinuxMounts(), spawn: new LinuxSpawner() },
    clock,
    logger: silentLogger,
    random: systemRandom,
    platform: { os: 'linux', architecture: 'amd64' },
  });
  t.after(async () => {
    await images.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return images;
}

function entry(name: string, body?: string, more: Partial<TarHeader> = {}): PackEntry {
  return {
    header: {
      name,
      type: body === undefined ? 'directory' : 'file',
      mode: body === undefined ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      size: body?.length ?? 0,
      mtime: 1_600_000_000,
      ...more,
    },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  };
}

async function tarOf(...entries: PackEntry[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of packTar(entries)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const stream = (bytes: Buffer): Readable => Readable.from([bytes], { objectMode: false });
const inUse = (): readonly string[] => [];

async function base(images: ImageStore, reference?: string, content = 'hello'): Promise<Image> {
  return await images.import(
    stream(await tarOf(entry('etc'), entry('etc/motd', content), entry('bin'), entry('bin/tool', '#!', { mode: 0o4755, uid: 5, gid: 6 }))),
    reference === undefined ? {} : { reference },
  );
}

test('an imported image is listed, found by name and id, tagged, and still there after a restart', async (t) => {
  const folder = temporary(t);
  const images = await store(t, folder);
  const events: string[] = [];
  images.onEvent((event) => events.push(`${event.action} ${event.name}`));
  const image = await base(images, 'demo');
  assert.deepEqual(image.references, ['docker.io/library/demo:latest']);
  assert.equal(image.sizeBytes, 7);
  await images.tag('demo', 'localhost:5000/a/b:1');
  for (const name of [
    'demo',
    'demo:latest',
    'docker.io/library/demo',
    image.id,
    image.id.slice(7),
    image.id.slice(7, 15),
    'localhost:5000/a/b:1',
    `demo@${image.manifestDigest}`,
  ]) {
    assert.equal((await images.get(name)).id, image.id, name);
  }
  await assert.rejects(images.get('none'), { code: 'not-found', message: 'No such image: none:latest' });
  await assert.rejects(images.get('No:Good'), { code: 'invalid' });
  await assert.rejects(images.tag('demo', `x@${image.id}`), { code: 'invalid', message: 'refusing to create a tag with a digest reference' });
  assert.deepEqual(events, ['import demo', 'tag localhost:5000/a/b:1']);
  await images.close();
  const again = await store(t, folder);
  assert.deepEqual((await again.list()).map((i) => i.references), [['docker.io/library/demo:latest', 'localhost:5000/a/b:1']]);
  assert.equal((await again.get('demo')).sizeBytes, 7, 'its layer is still unpacked');
});

test('a snapshot is an overlay over the image; committing it makes a layer of what changed', async (t) => {
  const images = await store(t);
  const folder = temporary(t);
  const image = await base(images, 'demo');
  const chain = await images.snapshots.unpack(image);
  assert.equal(chain, chainIds(image.document.rootfs.diff_ids)[0]);
  const target = join(folder, 'root');
  mkdirSync(target);
  await images.snapshots.prepare('c1', chain);
  await assert.rejects(images.snapshots.prepare('c1', chain), { code: 'already-exists' });
  await assert.rejects(images.snapshots.prepare('../x', chain), { code: 'invalid' });
  const unmount = await images.snapshots.mount('c1', target, { volatile: true });
  assert.equal(readFileSync(join(target, 'etc/motd'), 'utf8'), 'hello');
  const tool = statSync(join(target, 'bin/tool'));
  assert.deepEqual([tool.mode & 0o7777, tool.uid, tool.gid, tool.mtimeMs], [0o4755, 5, 6, 1_600_000_000_000]);
  rmSync(join(target, 'etc/motd'));
  rmSync(join(target, 'bin'), { recursive: true });
  mkdirSync(join(target, 'bin'));
  writeFileSync(join(target, 'bin/new'), 'x'.repeat(1000));
  assert.deepEqual(await images.snapshots.changes('c1'), [
    { path: '/bin', kind: 0 },
    { path: '/bin/new', kind: 1 },
    { path: '/bin/tool', kind: 2 },
    { path: '/etc', kind: 0 },
    { path: '/etc/motd', kind: 2 },
  ]);
  assert.equal(await images.snapshots.usage('c1'), 1000);
  await unmount();
  await (await images.snapshots.mount('c1', target, { volatile: true }))();
  const layer = await images.snapshots.commit('c1');
  assert.equal(layer.descriptor.digest, layer.diffId);
  const names = execFileSync('tar', ['-tf', images.content.path(layer.diffId)], { encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(names, ['bin/', 'bin/.wh..wh..opq', 'bin/new', 'etc/', 'etc/.wh.motd']);
  await assert.rejects(images.snapshots.mount('c1', target), { code: 'not-found' });
  const made = await images.create(
    { ...image.document, rootfs: { type: 'layers', diff_ids: [...image.document.rootfs.diff_ids, layer.diffId] } },
    [...image.layers, layer.descriptor],
    ['demo:2'],
  );
  assert.equal(await images.snapshots.unpack(made), layer.chainId, 'nothing had to be unpacked');
  const off = await images.snapshots.mountChain(layer.chainId, target);
  assert.deepEqual(readdirSync(join(target, 'bin')), ['new']);
  assert.deepEqual(readdirSync(join(target, 'etc')), []);
  await off();
});

test('a committed layer, unpacked somewhere else, is the same tree again; compressed or not it has one diff id', async (t) => {
  const images = await store(t);
  const image = await base(images);
  const chain = await images.snapshots.unpack(image);
  const target = temporary(t);
  const work = async (key: string): Promise<void> => {
    await images.snapshots.prepare(key, chain);
    const unmount = await images.snapshots.mount(key, target);
    execFileSync('sh', [
      '-ec',
      `cd ${target}; rm -r bin; mkdir bin; echo a >bin/a; ln bin/a bin/b; ln -s /x lnk; mknod null c 1 3; mkfifo pipe; touch -d @1000 bin/a lnk pipe null bin; setfattr -n user.k -v v bin/a 2>/dev/null || true; touch -h -d @1000 lnk; touch -d @1000 etc; rm etc/motd; touch -d @1000 etc`,
    ]);
    await unmount();
  };
  await work('a');
  await work('b');
  const plain = await images.snapshots.commit('a', { keep: true });
  const packed = await images.snapshots.commit('b', { compression: 'gzip' });
  assert.equal(plain.diffId, packed.diffId);
  assert.equal(digestOf(gunzipSync(readFileSync(images.content.path(packed.descriptor.digest)))), plain.diffId);
  assert.equal(plain.chainId, packed.chainId);
  const off = await images.snapshots.mountChain(plain.chainId, target);
  assert.equal(statSync(join(target, 'bin/a')).ino, statSync(join(target, 'bin/b')).ino);
  assert.equal(lstatSync(join(target, 'null')).rdev, 259);
  assert.equal(existsSync(join(target, 'bin/tool')), false);
  assert.equal(existsSync(join(target, 'etc/motd')), false);
  await off();
  await images.snapshots.remove('a');
  await images.snapshots.remove('a');
});

test('save and load: what comes back has the same ids, whatever the compression', async (t) => {
  const images = await store(t);
  const image = await base(images, 'demo:1');
  await images.tag('demo:1', 'demo:2');
  const pieces: Buffer[] = [];
  for await (const piece of await images.save(['demo'])) pieces.push(piece as Buffer);
  const archive = Buffer.concat(pieces);
  for (const bytes of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
    const other = await store(t);
    const loaded = await other.load(stream(bytes));
    assert.deepEqual(
      loaded.map((l) => [l.image.id, l.image.manifestDigest, l.references]),
      [[image.id, image.manifestDigest, ['docker.io/library/demo:1', 'docker.io/library/demo:2']]],
    );
    const blobs = [];
    for await (const blob of other.content.list()) blobs.push(blob.digest);
    assert.deepEqual(blobs.sort(), [image.id, image.manifestDigest, image.layers[0]!.digest].sort(), 'nothing else is kept of the archive');
    assert.equal((await other.get(image.id)).sizeBytes, 7);
  }
});

test('an archive of an older Docker: layers as folders, one of them a symlink', async (t) => {
  const images = await store(t);
  const layer = await tarOf(entry('a', 'a'));
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/a'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] },
  });
  const archive = await tarOf(
    entry('1'),
    { header: { ...entry('1/layer.tar', '').header, size: layer.length }, body: layer },
    entry('2/layer.tar', '', { type: 'symlink', linkname: '../1/layer.tar' }),
    entry('abc.json', config),
    entry('manifest.json', JSON.stringify([{ Config: 'abc.json', RepoTags: ['old:1'], Layers: ['1/layer.tar', '2/layer.tar'] }])),
  );
  const [loaded] = await images.load(stream(archive));
  assert.equal(loaded?.image.id, digestOf(config));
  assert.deepEqual((await images.get('old:1')).document.config.Cmd, ['/a']);
});

test('an image of no layers is loaded: its lists may be null', async (t) => {
  const images = await store(t);
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: null,
    config: { Labels: { a: 'b' } },
    rootfs: { type: 'layers', diff_ids: null },
  });
  const [loaded] = await images.load(
    stream(await tarOf(entry('c', config), entry('manifest.json', JSON.stringify([{ Config: 'c', RepoTags: null, Layers: null }])))),
  );
  assert.equal(loaded?.image.id, digestOf(config));
  assert.deepEqual(loaded.references, []);
  assert.equal((await images.get(digestOf(config))).sizeBytes, 0);
});

test('what is wrong with an archive is said, and nothing of it stays', async (t) => {
  const images = await store(t);
  const layer = await tarOf(entry('a', 'a'));
  const config = (diffId: string): string => JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } });
  const manifest = JSON.stringify([{ Config: 'c', RepoTags: ['x:1'], Layers: ['l'] }]);
  const layerEntry: PackEntry = { header: { ...entry('l', '').header, size: layer.length }, body: layer };
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /archive is empty/],
    [Buffer.from('no tar at all'.padEnd(600)), /not a tar archive/],
    [await tarOf(entry('etc'), entry('etc/passwd', 'x')), /no image in it.*/],
    [await tarOf(entry('manifest.json', '{')), /not JSON/],
    [await tarOf(entry('manifest.json', '[{"Config":1}]')), /malformed/],
    [await tarOf(entry('manifest.json', manifest)), /names "c", which is not in it/],
    [await tarOf(layerEntry, entry('c', config(digestOf('other'))), entry('manifest.json', manifest)), /uncompressed content has the digest/],
    [await tarOf(entry(`blobs/sha256/${'a'.repeat(64)}`, 'x')), /digest is .* instead of the expected/],
    [await tarOf(entry('../evil', 'x')), /leads out of its root/],
    [(await tarOf(layerEntry, entry('c', config(digestOf(layer))), entry('manifest.json', manifest))).subarray(0, 1300), /cut off/],
    [Buffer.concat([gzipSync(layer).subarray(0, 60)]), /damaged|unexpected end/],
  ];
  for (const [archive, message] of cases) {
    await assert.rejects(
      images.load(stream(archive)),
      (error: Error & { code: string }) => error.code === 'invalid' && message.test(error.message),
      String(message),
    );
  }
  assert.deepEqual(await images.list(), []);
  const blobs = [];
  for await (const blob of images.content.list()) blobs.push(blob.digest);
  // Blobs of archives that were read to their end are taken out; the rest goes with the next collection after an hour.
  assert.equal(blobs.includes(digestOf(layer)), false);
});

test('removing: by name, by id, with containers in the way, and with force', async (t) => {
  const images = await store(t);
  const image = await base(images, 'demo:1');
  await images.tag('demo:1', 'demo:2');
  await images.tag('demo:1', 'other:1');
  const busy = (): readonly string[] => ['c'.repeat(64)];
  const short = image.id.slice(7, 19);
  await assert.rejects(images.remove(image.id, { inUse }), {
    code: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  });
  assert.deepEqual(await images.remove('other:1', { inUse: busy }), [{ untagged: 'other:1' }], 'not its last name');
  assert.deepEqual(await images.remove('demo:1', { inUse: busy }), [{ untagged: 'demo:1' }]);
  await assert.rejects(images.remove('demo:2', { inUse: busy }), {
    message: `conflict: unable to delete demo:2 (must be forced) - container cccccccccccc is using its referenced image ${short}`,
  });
  await assert.rejects(images.remove(short, { inUse: busy }), {
    message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
  });
  await assert.rejects(images.remove(short, { inUse: busy, running: busy, force: true }), {
    message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
  });
  assert.deepEqual(await images.remove('demo:2', { inUse: busy, running: busy, force: true }), [{ untagged: 'demo:2' }]);
  const chain = chainIds(image.document.rootfs.diff_ids)[0]!;
  await images.snapshots.prepare('c1', chain);
  const removed = await images.remove(short, { inUse });
  assert.deepEqual(removed[0], { deleted: image.id });
  assert.equal(removed.some((r) => 'deleted' in r && r.deleted === chain), false, 'a container stands on the layer');
  assert.equal((await images.snapshots.layers('c1')).lower.length, 1);
  await images.snapshots.remove('c1');
  assert.ok((await images.collect()).deleted.includes(chain));
  assert.deepEqual((await images.collect()).deleted, []);
  await assert.rejects(images.remove('demo:2', { inUse }), { code: 'not-found' });
});

test('prune takes what has no name, and with `all` what has no container', async (t) => {
  const images = await store(t);
  const first = await base(images, 'demo', 'one');
  const second = await base(images, 'demo', 'two');
  assert.deepEqual((await images.get(first.id)).references, []);
  const pruned = await images.prune({ inUse });
  assert.ok(pruned.deleted.includes(first.id) && !pruned.deleted.includes(second.id));
  assert.ok(pruned.bytes > 0);
  assert.deepEqual((await images.prune({ all: true, inUse: () => ['c'] })).deleted, []);
  assert.ok((await images.prune({ all: true, inUse })).deleted.includes('docker.io/library/demo:latest'));
  assert.deepEqual(await images.list(), []);
});

test('a lease keeps a removed image until it ends', async (t) => {
  const images = await store(t);
  const image = await base(images, 'demo');
  const chain = await images.snapshots.unpack(image);
  const end = images.lease(image.id);
  await images.list();
  await images.remove('demo', { inUse });
  await images.snapshots.prepare('late', chain);
  assert.equal(await images.content.has(image.layers[0]!.digest), true);
  await images.snapshots.remove('late');
  await end();
  await images.collect();
  assert.equal(await images.content.has(image.layers[0]!.digest), false);
  await assert.rejects(images.snapshots.prepare('later', chain), { code: 'not-found' });
});

test('layers that were not on the disk when the machine went down are unpacked again; those that were are kept', async (t) => {
  const folder = temporary(t);
  let sync: (() => void) | undefined;
  const clock: Clock = { ...systemClock, after: (ms, fn) => (ms === 5000 ? ((sync = fn), () => {}) : systemClock.after(ms, fn)) };
  const images = await store(t, folder, clock);
  const image = await base(images, 'demo');
  const chain = await images.snapshots.unpack(image);
  await images.snapshots.prepare('c1', chain);
  const record = join(folder, 'layers', chain.slice(7), 'layer.json');
  const boot = (): string | undefined => (JSON.parse(readFileSync(record, 'utf8')) as { boot?: string }).boot;
  assert.equal(boot(), readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  await images.close();
  // The machine is started anew, and finds files without their bytes.
  writeFileSync(record, readFileSync(record, 'utf8').replace(boot()!, 'another boot'));
  writeFileSync(join(folder, 'layers', chain.slice(7), 'fs/etc/motd'), '');
  const again = await store(t, folder, clock);
  assert.equal(again.snapshots.has(chain), false);
  const target = temporary(t);
  await (await again.snapshots.mount('c1', target))();
  assert.equal(readFileSync(join(folder, 'layers', chain.slice(7), 'fs/etc/motd'), 'utf8'), 'hello');
  sync!();
  for (let n = 0; boot() !== undefined; n++) {
    assert.ok(n < 500, 'it was never synced');
    await systemClock.sleep(10);
  }
  await again.close();
  const third = await store(t, folder, clock);
  assert.equal(third.snapshots.has(chain), true);
});
