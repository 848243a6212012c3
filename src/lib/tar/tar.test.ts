import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, linkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeHeader, END_OF_ARCHIVE, packTar, padding, readTar, TarError, TarParser } from '../tar.ts';
import type { PackEntry, TarHeader } from '../tar.ts';

function file(name: string, size = 0, more: Partial<TarHeader> = {}): TarHeader {
  return { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: 1_700_000_000, ...more };
}

async function bytes(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* inPieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function entries(archive: Buffer, piece = 1 << 16): Promise<{ header: TarHeader; body: string }[]> {
  const out: { header: TarHeader; body: string }[] = [];
  for await (const entry of readTar(inPieces(archive, piece))) {
    out.push({ header: entry.header, body: (await bytes(entry.body)).toString() });
  }
  return out;
}

const sample: PackEntry[] = [
  { header: { name: 'bin', type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 1 } },
  { header: file('bin/sh', 5, { mode: 0o4755, uid: 3, gid: 2_097_151 }), body: Buffer.from('hello') },
  { header: file(`${'d'.repeat(90)}/${'e'.repeat(90)}`, 512), body: Buffer.alloc(512, 'x') },
  { header: file('n'.repeat(300), 1), body: Buffer.from('y') },
  {
    header: file('grün/日本.txt', 0, {
      mtime: 1_700_000_000.25,
      uid: 4_294_967_294,
      xattrs: new Map([
        ['user.b', Buffer.from([0, 255, 10])],
        ['security.capability', Buffer.from('=')],
      ]),
    }),
  },
  { header: file('link', 0, { type: 'symlink', linkname: `../${'l'.repeat(200)}` }) },
  { header: file('hard', 0, { type: 'link', linkname: 'bin/sh' }) },
  { header: file('dev/null', 0, { type: 'character-device', devMajor: 1, devMinor: 3, mode: 0o666 }) },
  { header: file('dev/sda', 0, { type: 'block-device', devMajor: 8, devMinor: 300 }) },
  { header: file('pipe', 0, { type: 'fifo' }) },
];

test('what was written is read again, whatever the pieces', async () => {
  const archive = await bytes(packTar(sample));
  const whole = await entries(archive);
  assert.equal(whole.length, sample.length);
  for (const [at, { header, body }] of whole.entries()) {
    const want = sample[at]!;
    assert.equal(header.name.replace(/\/$/, ''), want.header.name);
    for (const key of ['type', 'mode', 'uid', 'gid', 'size', 'mtime', 'linkname'] as const) {
      assert.equal(header[key], want.header[key], `${header.name} ${key}`);
    }
    assert.equal(header.devMajor ?? 0, want.header.devMajor ?? 0);
    assert.equal(header.devMinor ?? 0, want.header.devMinor ?? 0);
    assert.deepEqual([...(header.xattrs ?? [])].sort(byName), [...(want.header.xattrs ?? [])].sort(byName));
    assert.equal(body, want.body === undefined ? '' : Buffer.from(want.body as Uint8Array).toString());
  }
  for (const piece of [1, 7, 511, 513]) assert.deepEqual(await entries(archive, piece), whole);
  assert.deepEqual(await bytes(packTar(sample)), archive, 'the same entries give the same bytes');
});

test('GNU tar writes what we read, in each of its formats, and reads what we write', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tar-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const deep = join(folder, 'in', 'a'.repeat(80), 'b'.repeat(80));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'c'.repeat(120)), 'deep');
  writeFileSync(join(folder, 'in', 'ä'), 'umlaut');
  symlinkSync('x'.repeat(180), join(folder, 'in', 'far'));
  linkSync(join(folder, 'in', 'ä'), join(folder, 'in', 'zz'));
  for (const format of ['gnu', 'pax', 'oldgnu']) {
    const archive = execFileSync('tar', ['-C', join(folder, 'in'), `--format=${format}`, '--sort=name', '-cf', '-', '.']);
    const read = await entries(archive);
    assert.deepEqual(read.map((e) => [e.header.name, e.header.type, e.header.linkname, e.body]), [
      ['./', 'directory', undefined, ''],
      [`./${'a'.repeat(80)}/`, 'directory', undefined, ''],
      [`./${'a'.repeat(80)}/${'b'.repeat(80)}/`, 'directory', undefined, ''],
      [`./${'a'.repeat(80)}/${'b'.repeat(80)}/${'c'.repeat(120)}`, 'file', undefined, 'deep'],
      ['./far', 'symlink', 'x'.repeat(180), ''],
      ['./zz', 'file', undefined, 'umlaut'],
      ['./ä', 'link', './zz', ''],
    ].sort((x, y) => (read.findIndex((e) => e.header.name === x[0]) < read.findIndex((e) => e.header.name === y[0]) ? -1 : 1)), format);
  }
  writeFileSync(join(folder, 'ours.tar'), await bytes(packTar(sample.filter((e) => e.header.name.length < 256).slice(0, 6))));
  mkdirSync(join(folder, 'out'));
  execFileSync('tar', ['-C', join(folder, 'out'), '--no-same-owner', '-xf', join(folder, 'ours.tar')]);
  assert.equal(readFileSync(join(folder, 'out', 'bin/sh'), 'utf8'), 'hello');
  assert.equal(readFileSync(join(folder, 'out', 'hard'), 'utf8'), 'hello');
});

test('a body that is not read is skipped, and stopping early closes the source', async () => {
  const archive = await bytes(packTar([{ header: file('a', 3000), body: Buffer.alloc(3000, 1) }, { header: file('b', 1), body: Buffer.from('b') }]));
  const names: string[] = [];
  for await (const entry of readTar(inPieces(archive, 100))) names.push(entry.header.name);
  assert.deepEqual(names, ['a', 'b']);
  let closed = false;
  const source = (async function* (): AsyncGenerator<Buffer> {
    try {
      yield* inPieces(archive, 100);
    } finally {
      closed = true;
    }
  })();
  for await (const entry of readTar(source)) {
    assert.equal(entry.header.name, 'a');
    break;
  }
  assert.equal(closed, true);
});

test('a body of another length than promised is an error', async () => {
  await assert.rejects(bytes(packTar([{ header: file('a', 3), body: Buffer.from('ab') }])), /a changed while it was read/);
  await assert.rejects(bytes(packTar([{ header: file('a', 1), body: Buffer.from('ab') }])), /a changed while it was read/);
});

test('damaged and hostile archives are refused', async () => {
  const good = encodeHeader(file('a', 3));
  const cut = Buffer.concat([good, Buffer.from('ab')]);
  await assert.rejects(entries(cut), /cut off/);
  const damaged = Buffer.from(good);
  damaged[0] = 0x62;
  await assert.rejects(entries(damaged), /wrong checksum/);
  await assert.rejects(entries(Buffer.alloc(700, 0x41)), TarError);
  const sparse = resum(Buffer.from(good), (b) => void (b[156] = 0x53));
  await assert.rejects(entries(sparse), /sparse/);
  const huge = resum(Buffer.from(good), (b) => {
    b[156] = 0x78;
    b.write('00040000000', 124, 'latin1');
  });
  await assert.rejects(entries(huge), /extended header of 8388608 bytes/);
  const records = Buffer.from('99 path=x\n');
  const pax = resum(Buffer.from(encodeHeader(file('p', records.length))), (b) => void (b[156] = 0x78));
  await assert.rejects(entries(Buffer.concat([pax, records, padding(records.length)])), /pax header is malformed/);
  const unknown = resum(Buffer.from(good), (b) => void (b[156] = 0x5a));
  await assert.rejects(entries(unknown), /unknown entry type "Z"/);
  const number = resum(Buffer.from(good), (b) => b.fill(0xff, 124, 136));
  await assert.rejects(entries(number), /negative size/);
});

test('bounds on entries and on what follows the end', () => {
  const sink = { entry() {}, data() {}, end() {} };
  const many = new TarParser(sink, { maxEntries: 2 });
  const header = encodeHeader(file('a'));
  many.write(header);
  many.write(header);
  assert.throws(() => many.write(header), /more than 2 entries/);
  const padded = new TarParser(sink, { maxTrailingBytes: 10_000 });
  padded.write(END_OF_ARCHIVE);
  padded.write(Buffer.alloc(10_000));
  assert.throws(() => padded.write(Buffer.alloc(1)), /after its end mark/);
});

function resum(block: Buffer, change: (block: Buffer) => void): Buffer {
  change(block);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block.subarray(0, 512)) sum += byte;
  block.write(sum.toString(8).padStart(6, '0') + '\0 ', 148, 8, 'latin1');
  return block;
}

function byName(a: readonly [string, Buffer], b: readonly [string, Buffer]): number {
  return a[0] < b[0] ? -1 : 1;
}
