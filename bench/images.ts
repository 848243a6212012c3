// Loads, pushes and pulls one image of 241 MB over loopback; prints seconds and the longest stall of the event loop.
// With DOCKER_HOST set, and `docker` on the path, the same image goes through that engine too.
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LinuxMounts } from '../src/host/mounts.ts';
import { openImages } from '../src/engine/images/store.ts';
import { openRegistry } from '../src/engine/registry/registry.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/log.ts';
import { systemRandom } from '../src/lib/random.ts';
import { packTar } from '../src/lib/tar.ts';
import type { PackEntry } from '../src/lib/tar.ts';

const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
const open = (name: string) =>
  openImages({
    folder: join(folder, name),
    host: { mounts: new LinuxMounts() },
    clock: systemClock,
    logger: silentLogger,
    random: systemRandom,
  });
const delay = monitorEventLoopDelay({ resolution: 5 });

async function timed<T>(what: string, task: () => Promise<T>): Promise<T> {
  delay.reset();
  delay.enable();
  const start = performance.now();
  const result = await task();
  const seconds = (performance.now() - start) / 1000;
  delay.disable();
  console.log(`${what.padEnd(34)} ${seconds.toFixed(2)} s   longest stall ${(delay.max / 1e6).toFixed(0)} ms`);
  return result;
}

/** Half of it compresses well, half not at all; 4,000 small files and some large ones. */
function* rootfs(part: number): Generator<PackEntry> {
  const words = Buffer.alloc(1 << 20, 'the quick brown fox jumps over the lazy dog, ');
  const noise = randomBytes(1 << 20);
  const file = (name: string, body: Buffer): PackEntry => ({
    header: { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: 1_700_000_000 },
    body,
  });
  for (let n = 0; n < 2000; n++) {
    yield file(`part${part}/small/${n % 50}/${n}`, (n % 2 === 0 ? words : noise).subarray(n * 100, n * 100 + 10_000));
  }
  for (let n = 0; n < 10; n++) {
    yield file(`part${part}/large/${n}`, Buffer.concat(Array.from({ length: 10 }, (_, k) => (k % 2 === 0 ? words : noise))));
  }
}

try {
  const first = await open('first');
  const layers = [];
  const diffIds = [];
  for (const part of [1, 2]) {
    const image = await timed(`import of layer ${part}`, () =>
      first.import(Readable.from(packTar(rootfs(part)), { objectMode: false, highWaterMark: 1 << 20 }), {}),
    );
    layers.push(...image.layers);
    diffIds.push(...image.document.rootfs.diff_ids);
  }
  await first.create({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }, layers, ['bench']);
  console.log(`${(layers.reduce((sum, layer) => sum + layer.size, 0) / 1e6).toFixed(0)} MB in ${layers.length} layers`);
  const archive = join(folder, 'image.tar');
  await timed('save', async () => pipeline(await first.save(['bench']), createWriteStream(archive)));
  const second = await open('second');
  await timed('load', () => second.load(createReadStream(archive, { highWaterMark: 1 << 16 })));
  const hub = await open('hub');
  const registry = openRegistry({ images: hub, clock: systemClock, random: systemRandom, logger: silentLogger });
  const { port } = await registry.listen();
  const name = `127.0.0.1:${port}/bench`;
  await second.tag('bench', name);
  await timed('push', () => second.push(name));
  const third = await open('third');
  await timed('pull', () => third.pull(name));
  await timed('push of what is there', () => second.push(name));
  await timed('removal', () => third.remove(name, { inUse: () => [] }));
  await registry.close();
  for (const store of [first, second, third, hub]) await store.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
