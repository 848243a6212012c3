import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LogFile } from './log-file.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ls-log-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const TIME = '2026-01-01T00:00:00.123456789+00:00';
const record = (tag: 'F' | 'P', text: string, stream = 'stdout'): string => `${TIME} ${stream} ${tag} ${text}\n`;

async function fileWith(text: string): Promise<{ path: string; file: LogFile }> {
  const path = join(folder, `${Math.random()}`);
  await writeFile(path, text);
  return { path, file: (await LogFile.open(path))! };
}

test('records with and without newline, of both streams; what is no record is passed over', async () => {
  const { file, path } = await fileWith(record('F', 'one') + record('P', 'tw') + record('F', 'o', 'stderr') + 'noise\n' + record('F', ''));
  const read = await file.read();
  assert.deepEqual(read.map(({ stream, data }) => [stream, data.toString()]), [['stdout', 'one\n'], ['stdout', 'tw'], ['stderr', 'o\n'], ['stdout', '\n']]);
  assert.equal(read[0]!.time, '2026-01-01T00:00:00.123456789Z');
  assert.deepEqual(await file.read(), []);
  await appendFile(path, `${TIME} stdout F half`);
  assert.deepEqual(await file.read(), []);
  await appendFile(path, ' and half\n');
  assert.equal((await file.read())[0]!.data.toString(), 'half and half\n');
  await file.close();
  assert.equal(await LogFile.open(join(folder, 'none')), undefined);
});

test('the tail counts lines, not records', async () => {
  const text = record('F', '1') + record('P', '2a') + record('P', '2b') + record('F', '2c') + record('F', '3') + record('P', 'unfinished');
  const tail = async (lines: number): Promise<string> => {
    const { file } = await fileWith(text);
    await file.seekTail(lines);
    const read = (await file.read()).map(({ data }) => data.toString()).join('');
    await file.close();
    return read;
  };
  assert.equal(await tail(0), '');
  assert.equal(await tail(1), 'unfinished');
  assert.equal(await tail(2), '3\nunfinished');
  assert.equal(await tail(3), '2a2b2c\n3\nunfinished');
  assert.equal(await tail(9), '1\n2a2b2c\n3\nunfinished');
});

test('the tail of a log larger than what is read at once', async () => {
  const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n} ${'x'.repeat(n % 97)}`);
  const { file } = await fileWith(lines.map((line) => record('F', line)).join(''));
  assert.equal(await file.seekTail(15_000), 0);
  const read: string[] = [];
  for (let some = await file.read(); some.length > 0; some = await file.read()) {
    read.push(...some.map(({ data }) => data.toString().trimEnd()));
  }
  assert.deepEqual(
    read,
    lines.slice(5000).map((line) => line.trimEnd()),
  );
  assert.equal(await file.seekTail(30_000), 10_000);
  await file.close();
});
