import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { free, freeing, piecesOf } from './free.ts';

test('a piece that is all of its memory is freed, one that shares it is left alone', () => {
  const own = Buffer.alloc(100_000, 1);
  const shared = Buffer.alloc(100_000, 1).subarray(10);
  free(own);
  free(shared);
  assert.deepEqual([own.length, shared.length, shared[0]], [0, 99_990, 1]);
});

test('pieces are freed when the next is asked for', async () => {
  const pieces = [Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 2)];
  const seen: number[] = [];
  for await (const piece of freeing(Readable.from(pieces))) {
    assert.equal(piece.length, 100_000);
    seen.push(pieces[0]!.length);
  }
  assert.deepEqual([seen, pieces[1]!.length], [[100_000, 0], 0]);
});

test('a stream’s pieces come as they are, in order, with its failure after them', async () => {
  const source = new PassThrough({ highWaterMark: 1 << 24 });
  const sent = Array.from({ length: 50 }, (_, n) => Buffer.alloc(60_000, n));
  for (const piece of sent) source.write(piece);
  source.end();
  const got: Buffer[] = [];
  for await (const piece of piecesOf(source)) {
    got.push(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(got.map((piece) => [piece.length, piece[0]]), sent.map((piece) => [piece.length, piece[0]]));
  const broken = new PassThrough();
  broken.write('one');
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const piece of piecesOf(broken)) {
      seen.push(piece.toString());
      broken.destroy(new Error('cut'));
    }
  }, /cut/);
  assert.deepEqual(seen, ['one']);
  const left = new PassThrough();
  left.write('two');
  for await (const _ of piecesOf(left)) break;
  left.write('three');
  assert.deepEqual([left.destroyed, left.isPaused(), left.listenerCount('data')], [false, true, 0]);
});
