import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { LongshoreError } from '../../lib/errors.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { systemRandom } from '../../lib/random.ts';
import { packTar } from '../../lib/tar.ts';
import { FileContentStore } from './content.ts';
import { chainIds, digestOf } from './digest.ts';
import { LayerIntake, takeLayer } from './intake.ts';
import { LayerStore } from './layers/layer-store.ts';
import { Trash } from './layers/trash.ts';
import { LayerWorkers } from './layers/workers.ts';

async function parts(
  t: TestContext,
  width = 2,
): Promise<{ content: FileContentStore; layers: LayerStore; workers: LayerWorkers; trash: Trash; folder: string; left: () => string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'intake-'));
  const content = await FileContentStore.open(folder, systemRandom);
  const workers = new LayerWorkers(systemClock, { width });
  const trash = await Trash.open(join(folder, 'trash'), systemRandom, silentLogger);
  const layers = await LayerStore.open({
    folder,
    workers,
    trash,
    random: systemRandom,
    logger: silentLogger,
    clock: systemClock,
    boot: 'now',
    sync: undefined,
  });
  t.after(async () => {
    await layers.close();
    await workers.close();
    await trash.emptied();
    rmSync(folder, { recursive: true });
  });
  return {
    content,
    layers,
    workers,
    trash,
    folder,
    left: () => ['ingest', 'tmp', 'blobs/sha256'].flatMap((name) => readdirSync(join(folder, name)).map((file) => `${name}/${file}`)),
  };
}

/** A layer of `bytes` random ones, as one file, and a small one. */
async function layer(bytes: number): Promise<{ tar: Buffer; body: Buffer }> {
  const body = systemRandom.bytes(bytes);
  const out: Buffer[] = [];
  const header = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 1_600_000_000 } as const;
  for await (const piece of packTar([
    { header: { ...header, name: 'etc/big', size: bytes }, body },
    { header: { ...header, name: 'etc/small', size: 2 }, body: Buffer.from('hi') },
  ])) {
    out.push(piece);
  }
  return { tar: Buffer.concat(out), body };
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 400_000) {
    yield await Promise.resolve(bytes.subarray(at, at + size));
  }
}

for (const [kind, pack] of [['plain', (tar: Buffer) => tar], ['gzip', gzipSync], ['zstd', zstdCompressSync]] as const) {
  test(`a ${kind} layer in pieces of any size: its blob, and its files, in one pass`, async (t) => {
    const { layers, content, left, ...rest } = await parts(t);
    const { tar, body } = await layer(3_000_001);
    const blob = Buffer.from(pack(tar));
    const taken = await takeLayer({ layers, content, ...rest }, inPieces(blob), { digest: digestOf(blob), size: blob.length }, { unpack: true });
    assert.deepEqual([taken.digest, taken.size, taken.prepared?.unpacked.diffId], [digestOf(blob), blob.length, digestOf(tar)]);
    assert.ok(readFileSync(content.path(taken.digest)).equals(blob));
    const chain = await layers.ensure([{ diffId: digestOf(tar), path: () => Promise.resolve('/does/not/exist'), prepared: () => taken.prepared }]);
    assert.equal(chain, chainIds([digestOf(tar)])[0]);
    assert.ok(readFileSync(join(layers.path(chain), 'etc/big')).equals(body));
    assert.equal(readFileSync(join(layers.path(chain), 'etc/small'), 'utf8'), 'hi');
    assert.deepEqual(left(), [`blobs/sha256/${taken.digest.slice(7)}`]);
  });
}

test('what is not as promised, breaks off or is given up leaves nothing', async (t) => {
  const { left, trash, ...rest } = await parts(t);
  const { tar } = await layer(1_500_000);
  const take = async (
    source: AsyncIterable<Uint8Array>,
    expected: { digest?: string; size?: number },
    signal?: AbortSignal,
  ): Promise<unknown> => await takeLayer(rest, source, expected, { unpack: true, signal });
  await assert.rejects(take(inPieces(tar), { digest: digestOf('else') }), { code: 'invalid', message: /instead of the expected/ });
  await assert.rejects(take(inPieces(tar), { size: tar.length + 1 }), { code: 'invalid', message: /bytes instead of the/ });
  await assert.rejects(take(inPieces(tar), { size: tar.length - 1 }), { code: 'invalid', message: /larger than/ });
  const breaks = (async function* () {
    yield tar.subarray(0, 1_000_000);
    await Promise.resolve();
    throw new Error('broken off');
  })();
  await assert.rejects(take(breaks, {}), /broken off/);
  await assert.rejects(take(inPieces(tar), {}, AbortSignal.abort(new LongshoreError('canceled', 'stop'))), { code: 'canceled' });
  await trash.emptied();
  assert.deepEqual(left(), []);
});

test('a layer that cannot be unpacked is a blob all the same; unpacking it from there says why', async (t) => {
  const { layers, content, left, ...rest } = await parts(t);
  const cut = gzipSync((await layer(700_000)).tar).subarray(0, 600_000);
  const broken = Buffer.concat([(await layer(1)).tar.subarray(0, 1024), Buffer.alloc(512, 'x')]);
  for (const blob of [cut, broken, Buffer.from('BZh9'), Buffer.alloc(0)]) {
    const taken = await takeLayer({ layers, content, ...rest }, inPieces(blob), { digest: digestOf(blob) }, { unpack: true });
    assert.equal(taken.prepared, undefined);
    assert.ok(readFileSync(content.path(taken.digest)).equals(blob));
  }
  await assert.rejects(layers.ensure([{ diffId: digestOf('x'), path: () => Promise.resolve(content.path(digestOf(cut))) }]), {
    code: 'invalid',
    message: /damaged/,
  });
  await rest.trash.emptied();
  assert.equal(left().length, 4);
});

test('a slow layer holds up no other work, and several share a thread', async (t) => {
  const { folder, ...rest } = await parts(t, 1);
  const { tar } = await layer(2_000_000);
  const slow = await LayerIntake.begin(rest, { unpack: true });
  await slow.write(tar.subarray(0, 700_000));
  const whole = await takeLayer(rest, inPieces(tar), {}, { unpack: true });
  const gone = join(folder, 'gone');
  mkdirSync(gone);
  await rest.workers.run({ kind: 'remove', path: gone });
  assert.ok(!readdirSync(folder).includes('gone'));
  await slow.write(tar.subarray(700_000));
  const finished = await slow.finish({ size: tar.length });
  assert.equal(finished.digest, whole.digest);
  assert.notEqual(finished.prepared?.folder, whole.prepared?.folder);
});

test('a failed write is told to whoever sends, and leaves nothing', async (t) => {
  const { left, folder, ...rest } = await parts(t);
  const ingest = await rest.workers.ingest({ path: join(folder, 'missing/blob') });
  const piece = Buffer.alloc(300_000);
  await assert.rejects(async () => {
    for (let n = 0; n < 100; n++) await ingest.write(piece);
  }, { code: 'internal', message: /can't write an image's content: ENOENT/ });
  await assert.rejects(ingest.end(), { code: 'internal' });
  await ingest.abort();
  assert.deepEqual(left(), []);
});

test('more at a time than there is memory for are refused', async (t) => {
  const { folder, workers } = await parts(t, 1);
  const open = await Promise.all(Array.from({ length: 64 }, (_, n) => workers.ingest({ path: join(folder, 'ingest', String(n)) })));
  await assert.rejects(workers.ingest({ path: join(folder, 'ingest/one-more') }), { code: 'exhausted' });
  await Promise.all(open.map((ingest) => ingest.abort()));
  const again = await workers.ingest({ path: join(folder, 'ingest/again') });
  await again.abort();
  assert.deepEqual(readdirSync(join(folder, 'ingest')), []);
});
