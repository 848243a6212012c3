// Style that ratchets: what no file may hold, and how long a file may be.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const { stdout } = await promisify(execFile)('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root, maxBuffer: 1 << 26 });
const files = stdout.split('\0').filter((name) => name !== '');
const sources = files.filter((name) => /\.(ts|sh)$/.test(name) && !name.includes('/generated/'));
const texts = new Map(await Promise.all(sources.map(async (name) => [name, await readFile(join(root, name), 'utf8').catch(() => '')] as const)));

/** This file, which names what it looks for. */
const own = 'test/house/tidy.test.ts';

const LONGEST = 1000;

test(`no source file is longer than ${LONGEST} lines`, () => {
  const long = [...texts].map(([name, text]) => `${name}: ${text.split('\n').length}`).filter((row) => Number(row.split(': ')[1]) > LONGEST);
  assert.deepEqual(long, []);
  assert.ok(texts.size > 20);
});

test('no loose ends, suppressed checks or skipped tests', () => {
  const loose = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck|expect-error)|\bas any\b|: any\b|test\.only\(/;
  const found: string[] = [];
  for (const [name, text] of texts) {
    if (name === own) continue;
    text.split('\n').forEach((line, at) => {
      if (loose.test(line) && !/^\s*(\/\*\*|\*|\/\/)/.test(line)) found.push(`${name}:${at + 1}: ${line.trim().slice(0, 120)}`);
    });
  }
  assert.deepEqual(found, []);
});

/** Files from before this rule, by how many such lines they still have: numbers that only fall. */
const WIDE: Readonly<Record<string, number>> = {
  'src/control-plane/api/security/parsing.test.ts': 9,
  'src/node/agent/pod-worker.ts': 10,
  'test/clients/docker-flags.test.ts': 2,
  'test/interop/kubelet.ts': 2,
};
const WIDEST = 160;
const TEXTS = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\/(?:[^/\\\s]|\\.)(?:[^/\\]|\\.)*\//g;

/** Lines that are too long by their code: texts and patterns count as two characters, since nothing breaks them. */
function wideLines(text: string): string[] {
  return text.split('\n').filter((line) => line.length > WIDEST && line.replace(TEXTS, "''").length > WIDEST);
}

test(`no line has more than ${WIDEST} characters of code`, () => {
  const found: string[] = [];
  for (const [name, text] of texts) {
    // Tables of facts and recorded answers are as they are.
    if (!name.endsWith('.ts') || /-table\.ts$|\/recorded\//.test(name)) continue;
    const lines = wideLines(text);
    if (lines.length > (WIDE[name] ?? 0)) found.push(`${name}: ${lines.length}, as ${lines[0]!.trim().slice(0, 80)}`);
  }
  assert.deepEqual(found, []);
  assert.equal(wideLines(`  call(${'argument, '.repeat(20)});`).length, 1, 'the check can fail');
  assert.equal(wideLines(`  call('${'word '.repeat(50)}');`).length, 0);
});

test('no file names the folder in which this checkout lies', () => {
  assert.deepEqual([...texts].filter(([, text]) => text.includes(root + '/')).map(([name]) => name), []);
});
