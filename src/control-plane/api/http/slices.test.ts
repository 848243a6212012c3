import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { endInSlices, SLICE } from './slices.ts';

/** A peer that takes one write at a time, when it is told to. */
function reader(): { readonly to: Writable; readonly got: Buffer[]; readonly take: () => void } {
  const got: Buffer[] = [];
  let taken: (() => void) | undefined;
  const to = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      got.push(chunk);
      taken = done;
    },
  });
  return { to, got, take: () => taken!() };
}

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

for (const length of [1, SLICE, SLICE + 1, 3 * SLICE]) {
  test(`a body of ${length} bytes arrives whole, a slice at a time`, async () => {
    const body = randomBytes(length);
    const { to, got, take } = reader();
    endInSlices(to, body);
    while (!to.writableFinished) {
      await turn();
      assert.ok(to.writableLength <= SLICE);
      take();
      await turn();
    }
    assert.equal(Buffer.concat(got).compare(body), 0);
    assert.equal(got.length, Math.ceil(length / SLICE));
  });
}

test('a reader that goes away gets no more', async () => {
  const { to, got } = reader();
  to.on('error', () => {});
  endInSlices(to, randomBytes(3 * SLICE));
  to.destroy(new Error('gone'));
  await turn();
  assert.equal(got.length, 1);
});
