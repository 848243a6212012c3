import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LongshoreError } from '../lib/errors.ts';
import { command, helpOf, UsageError, type CommandContext } from './command.ts';
import { printData, table } from './data.ts';
import { exitCodeOf } from './exit-codes.ts';
import { createTalk } from './output.ts';

const context: CommandContext = {
  talk: createTalk({ write: () => undefined, terminal: false, color: false, monotonic: () => 0 }),
  environment: { LONGSHORE_HOME: '/from/environment' },
  print: () => undefined,
  ask: undefined,
  interruption: () => new AbortController().signal,
};

const seen: unknown[] = [];
const example = command(
  {
    about: 'An example.',
    words: '[WORD…]',
    mostWords: 2,
    flags: {
      lines: { type: 'string', short: 'n', value: 'COUNT', describe: 'how many' },
      all: { type: 'boolean', short: 'a', describe: 'everything' },
      output: { type: 'string', short: 'o', choices: ['json', 'yaml'], describe: 'how' },
    },
  },
  (given, values, words) => {
    seen.push([given.home.root, { ...values }, words]);
    return Promise.resolve(0);
  },
);

test('flags and words in any order; --home goes before the environment', async () => {
  await example.run(['one', '-n', '5', '--all', 'two'], context);
  await example.run(['--lines=-5', '-oyaml', '--home', '/from/flag', '--', '--all'], context);
  assert.deepEqual(seen.splice(0), [
    ['/from/environment', { lines: '5', all: true }, ['one', 'two']],
    ['/from/flag', { lines: '-5', output: 'yaml', home: '/from/flag' }, ['--all']],
  ]);
});

test('what is wrong in a command line is told with what was meant', () => {
  const refusal = (...args: string[]): string => {
    try {
      void example.run(args, context);
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return [error.message, error.remedy].filter(Boolean).join(' ');
    }
    return 'none';
  };
  assert.equal(refusal('--linse', '3'), 'there is no flag --linse Did you mean --lines?');
  assert.equal(refusal('--frobnicate'), 'there is no flag --frobnicate');
  assert.equal(refusal('-x'), 'there is no flag -x');
  assert.equal(refusal('--lines'), '--lines wants a value: --lines COUNT');
  assert.equal(refusal('--lines', '--all'), '--lines wants a value: --lines COUNT');
  assert.equal(refusal('--all=yes'), '--all takes no value');
  assert.equal(refusal('-o', 'jsn'), '-o jsn is none of json, yaml Did you mean json?');
  assert.equal(refusal('a', 'b', 'c'), '"c" is too much');
});

test('help names every flag and exit code', () => {
  const help = helpOf('example', example.spec);
  assert.match(help, /^An example\.\n\nUsage: longshore example \[FLAGS\] \[WORD…\]\n/);
  for (const line of ['-n, --lines COUNT', '-a, --all', '-o, --output VALUE', '    --home DIR', '-h, --help', '  3  nothing runs here']) {
    assert.ok(help.includes(line), line);
  }
});

test('exit codes say what kind of failure it was', () => {
  assert.deepEqual(
    ['internal', 'not-found', 'forbidden', 'timeout', 'conflict'].map((code) => exitCodeOf(new LongshoreError(code as 'internal', ''))),
    [1, 3, 4, 5, 1],
  );
  assert.equal(exitCodeOf(new Error('x')), 1);
});

test('data is printed in each form', async () => {
  let printed = '';
  const print = (text: string): void => void (printed += text);
  const data = { value: { a: [1] }, names: ['a', 'b'], text: table(['A', 'LONG'], [['first', '1'], ['2', '']]) };
  for (const format of ['json', 'yaml', 'name', undefined]) await printData({ print }, format, data);
  assert.equal(printed, '{\n  "a": [\n    1\n  ]\n}\na:\n  - 1\na\nb\nA       LONG\nfirst   1\n2\n');
});

test('every command has a help of its own, and the command itself refuses what it does not know', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'cli-'));
  t.after(() => rm(home, { recursive: true }));
  const longshore = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(import.meta.dirname, 'main.ts'), ...args],
        { env: { ...process.env, LONGSHORE_HOME: home } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const { stdout } = await longshore('help');
  const names = [...stdout.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name!);
  assert.equal(names.length, 16);
  for (const result of await Promise.all(names.map((name) => longshore(name, '--help')))) {
    assert.match(result.stdout, /^[A-Z][^]+\n\nUsage: longshore [a-z]+ \[FLAGS\]/, result.stderr);
  }
  const [mistyped, flag, early, absent, help] = await Promise.all([
    longshore('stauts'),
    longshore('status', '--ouput', 'json'),
    longshore('-o', 'json', 'status'),
    longshore('status', '-o', 'json'),
    longshore('help', 'up'),
  ]);
  assert.deepEqual([mistyped.code, mistyped.stderr], [2, 'longshore: there is no command "stauts"\n  → Did you mean status?\n']);
  assert.deepEqual([flag.code, flag.stderr], [2, 'longshore: there is no flag --ouput\n  → Did you mean --output?\n  → See: longshore status --help\n']);
  assert.equal(early.code, 2);
  assert.deepEqual([absent.code, absent.stdout], [3, `${JSON.stringify({ home, running: false }, undefined, 2)}\n`]);
  assert.match(help.stdout, /--listen ADDRESS .*\[LONGSHORE_LISTEN\]/);
});
