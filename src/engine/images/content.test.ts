import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemRandom } from '../../lib/random.ts';
import { FileContentStore } from './content.ts';
import { digestOf } from './digest.ts';

async function store(t: TestContext): Promise<{ content: FileContentStore; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'content-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { content: await FileContentStore.open(folder, systemRandom), folder };
}

async function* pieces(...parts: string[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield await Promise.resolve(Buffer.from(part));
}

test('a blob is there when it is whole and right, else nothing is kept', async (t) => {
  const { content, folder } = await store(t);
  const digest = digestOf('hello');
  assert.deepEqual(await content.write(pieces('he', 'llo'), { digest, size: 5 }), { digest, size: 5 });
  assert.equal((await content.read(digest)).toString(), 'hello');
  await assert.rejects(content.write(pieces('hullo'), { digest }), { code: 'invalid', message: /instead of the expected/ });
  await assert.rejects(content.write(pieces('hel'), { size: 5 }), { code: 'invalid', message: /has 3 bytes instead of the 5 expected/ });
  await assert.rejects(content.write(pieces('hello', 'hello'), { size: 5 }), { code: 'invalid', message: /larger than the 5 bytes/ });
  await assert.rejects(content.write(pieces('x'), { digest: 'sha256:../../x' }), { code: 'invalid' });
  const aborted = AbortSignal.abort(new Error('stop'));
  await assert.rejects(content.write(pieces('x'), {}, aborted), /stop/);
  await assert.rejects(content.write(failing()), /broken/);
  assert.deepEqual([readdirSync(join(folder, 'ingest')), readdirSync(join(folder, 'blobs/sha256')).length], [[], 1]);
  await assert.rejects(content.read(digestOf('none')), { code: 'not-found' });
  await assert.rejects(content.stream(digestOf('none')), { code: 'not-found' });
  await assert.rejects(content.has('sha256:../etc'), { code: 'invalid' });
});

test('large blobs, in pieces of any size, and parts of them', async (t) => {
  const { content } = await store(t);
  const bytes = systemRandom.bytes(3_000_001);
  const source = (async function* (): AsyncGenerator<Buffer> {
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 400_000) {
      yield await Promise.resolve(bytes.subarray(at, at + size));
    }
  })();
  const { digest, size } = await content.write(source);
  assert.deepEqual([digest, size], [digestOf(bytes), bytes.length]);
  const read: Buffer[] = [];
  for await (const piece of await content.stream(digest, { start: 1_000_000, end: 1_999_999 })) read.push(piece as Buffer);
  assert.ok(Buffer.concat(read).equals(bytes.subarray(1_000_000, 2_000_000)));
});

test('what was being written when a process ended is gone at the next opening', async (t) => {
  const { content, folder } = await store(t);
  const writer = await content.writer();
  await writer.write(Buffer.alloc(600_000));
  assert.equal(readdirSync(join(folder, 'ingest')).length, 1);
  await FileContentStore.open(folder, systemRandom);
  assert.deepEqual(readdirSync(join(folder, 'ingest')), []);
  await writer.abort();
});

async function* failing(): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from('x'));
  throw new Error('broken');
}
