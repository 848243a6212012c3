import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemRandom } from '../lib/random.ts';
import { alignedBuffer, alignedMemory, DIRECT_ALIGNMENT, DirectFile, DirectReader } from './direct.ts';
import { kernel } from './syscall/kernel.ts';

const ROOM = 64 * 1024;

// tmpfs came to O_DIRECT late, and may refuse it.
for (const parent of [tmpdir(), '/dev/shm']) {
  test(`a file of any length goes out and in again, in ${parent}`, async (t) => {
    const folder = temporary(t, parent);
    const { memory, offset, length } = alignedMemory(2 * ROOM);
    const rooms = [0, 1].map((n) => Buffer.from(memory, offset + (n * length) / 2, ROOM));
    for (const size of [0, 1, ROOM - 1, ROOM, ROOM + 4096, 3 * ROOM + 17]) {
      const bytes = systemRandom.bytes(size);
      const path = join(folder, String(size));
      const file = new DirectFile(path);
      for (let at = 0, n = 0; at < size; at += ROOM, n++) {
        const room = rooms[n % 2]!;
        const take = bytes.copy(room, 0, at);
        await file.write(room, take, at);
      }
      await file.finish(size);
      file.close();
      assert.equal(statSync(path).size, size);
      assert.ok(readFileSync(path).equals(bytes));
      for (const direct of [true, false]) assert.ok((await readAll(path, direct)).equals(bytes), `${size} bytes, direct ${direct}`);
    }
  });
}

test('memory is aligned, and a file is not overwritten', (t) => {
  const folder = temporary(t, tmpdir());
  for (let n = 0; n < 20; n++) assert.equal(kernel().address(alignedBuffer(10_000 + n)) % BigInt(DIRECT_ALIGNMENT), 0n);
  const file = new DirectFile(join(folder, 'one'));
  assert.throws(() => new DirectFile(join(folder, 'one')), { code: 'EEXIST' });
  file.close();
});

async function readAll(path: string, direct: boolean): Promise<Buffer> {
  const reader = await DirectReader.open(path, { direct });
  const room = alignedBuffer(ROOM);
  const out: Buffer[] = [];
  for (let at = 0, bytes = ROOM; bytes === ROOM; at += bytes) {
    bytes = await reader.read(room, at);
    out.push(Buffer.from(room.subarray(0, bytes)));
  }
  await reader.close();
  return Buffer.concat(out);
}

function temporary(t: TestContext, parent: string): string {
  const folder = mkdtempSync(join(parent, 'direct-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}
