import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandHeredoc, expandWord, expandWords, WordError } from './expand.ts';
import type { Instruction } from './instructions.ts';
import { parseMount } from './mounts.ts';
import { parseDockerfile } from './parse.ts';

function instructions(text: string): readonly Instruction[] {
  return parseDockerfile(`FROM x\n${text}`).stages[0]!.instructions;
}

test('lines: directives, comments, continuations, where each instruction stands', () => {
  const file = parseDockerfile(
    '# syntax=docker/dockerfile:1\n# escape=`\n\n# comment\nARG A=1\nFROM base AS One\nRUN a `\n  # within\n\n  b `\n  c\n  # escape=x\nCMD ["x"]',
  );
  assert.equal(file.syntax, 'docker/dockerfile:1');
  assert.equal(file.escape, '`');
  assert.deepEqual(file.globals, [{ name: 'A', value: '1', line: 5 }]);
  assert.equal(file.stages[0]!.name, 'one');
  const [run, cmd] = file.stages[0]!.instructions;
  assert.deepEqual([run!.line, run!.endLine, run!.text], [7, 11, 'RUN a   b   c']);
  assert.deepEqual([cmd!.line, cmd!.kind === 'CMD' && cmd!.command], [13, { form: 'exec', args: ['x'] }]);
  assert.equal(parseDockerfile('\uFEFFFROM x\r\nRUN y\r\n').stages[0]!.instructions[0]!.text, 'RUN y');
});

test('forms of commands, words and pairs', () => {
  const [a, b, c, d, e, f, g] = instructions(
    'RUN ["a", "b c"]\nRUN [ -f x ] && echo\nENTRYPOINT exec x $Y\nENV a=b c="d e" f=g\\ h\nENV old  style value\nLABEL "k k"=v\nCMD',
  ) as [Instruction, Instruction, Instruction, Instruction, Instruction, Instruction, Instruction];
  assert.deepEqual(a.kind === 'RUN' && a.command, { form: 'exec', args: ['a', 'b c'] });
  assert.deepEqual(b.kind === 'RUN' && b.command, { form: 'shell', line: '[ -f x ] && echo' });
  assert.deepEqual(c.kind === 'ENTRYPOINT' && c.command, { form: 'shell', line: 'exec x $Y' });
  assert.deepEqual(d.kind === 'ENV' && d.pairs, [['a', 'b'], ['c', '"d e"'], ['f', 'g\\ h']]);
  assert.deepEqual(e.kind === 'ENV' && e.pairs, [['old', 'style value']]);
  assert.deepEqual(f.kind === 'LABEL' && f.pairs, [['"k k"', 'v']]);
  assert.deepEqual(g.kind === 'CMD' && g.command, { form: 'exec', args: [] });
});

test('COPY and ADD: flags, several sources, JSON form, heredocs', () => {
  const [copy, json, here] = instructions(
    'COPY --from=b --chown=1:2 --chmod=644 --link --exclude=*.o --exclude=x a b /c/\nADD ["a b", "/d e"]\nCOPY <<A <<-"B" x /d/\n$one\nA\n\ttwo\n\tB',
  ) as [Instruction, Instruction, Instruction];
  assert.ok(copy.kind === 'COPY' && json.kind === 'ADD' && here.kind === 'COPY');
  assert.deepEqual(copy.flags, { from: 'b', chown: '1:2', chmod: '644', link: true, parents: false, keepGitDir: false, exclude: ['*.o', 'x'] });
  assert.deepEqual([copy.sources, copy.destination], [['a', 'b'], '/c/']);
  assert.deepEqual([json.sources, json.destination], [['a b'], '/d e']);
  assert.deepEqual(
    [here.sources, here.destination, here.heredocs],
    [
      ['x'],
      '/d/',
      [
        { name: 'A', expand: true, content: '$one\n' },
        { name: 'B', expand: false, content: 'two\n' },
      ],
    ],
  );
});

test('HEALTHCHECK', () => {
  const [a, b, c] = instructions(
    'HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --retries=3 CMD curl x\nHEALTHCHECK CMD ["a"]\nHEALTHCHECK NONE',
  ) as [Instruction, Instruction, Instruction];
  assert.deepEqual(a.kind === 'HEALTHCHECK' && a.health, {
    test: ['CMD-SHELL', 'curl x'],
    interval: 90e9,
    timeout: 5e8,
    startPeriod: 5e9,
    retries: 3,
  });
  assert.deepEqual(b.kind === 'HEALTHCHECK' && b.health, { test: ['CMD', 'a'] });
  assert.deepEqual(c.kind === 'HEALTHCHECK' && c.health, { test: ['NONE'] });
});

test('mistakes are told with their line', () => {
  const cases: [string, string][] = [
    ['', 'dockerfile parse error on line 1: the Dockerfile cannot be empty'],
    ['# only\n\n', 'dockerfile parse error on line 1: file with no instructions'],
    ['RUN x', 'dockerfile parse error on line 1: no build stage in current context'],
    ['ARG x', 'dockerfile parse error on line 1: no build stage in current context'],
    ['FROM x\n\nRUM x', 'dockerfile parse error on line 3: unknown instruction: RUM (did you mean RUN?)'],
    ['FROM x\nblub y', 'dockerfile parse error on line 2: unknown instruction: blub'],
    ['FROM', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
    ['FROM a b', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
    [
      'FROM x AS 1a',
      'dockerfile parse error on line 1: invalid name for build stage: "1a", name can\'t start with a number or contain symbols',
    ],
    [
      'FROM x\nCOPY a',
      'dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
    ['FROM x\nCOPY --form=y a b', 'dockerfile parse error on line 2: unknown flag: --form (did you mean from?)'],
    ['FROM x\nCOPY --from=y --from=z a b', 'dockerfile parse error on line 2: duplicate flag specified: --from'],
    ['FROM x\nCOPY --chown a b', 'dockerfile parse error on line 2: missing a value on flag: --chown'],
    ['FROM x\nENV a=b c', 'dockerfile parse error on line 2: Syntax error - can\'t find = in "c". Must be of the form: name=value'],
    ['FROM x\nENV a', 'dockerfile parse error on line 2: ENV must have two arguments'],
    ['FROM x\nRUN', 'dockerfile parse error on line 2: RUN requires at least one argument'],
    ['FROM x\nRUN <<E\nabc', 'dockerfile parse error on line 2: unterminated heredoc'],
    ['FROM x\nSHELL sh', 'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form'],
    ['FROM x\nONBUILD FROM y', "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"],
    ['FROM x\nONBUILD ONBUILD RUN y', "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['FROM x\nHEALTHCHECK SOMETIMES', 'dockerfile parse error on line 2: Unknown type "SOMETIMES" in HEALTHCHECK (try CMD)'],
    ['# escape=x\nFROM y', "dockerfile parse error on line 1: invalid escape token 'x' does not match ` or \\"],
    ['# escape=`\n# escape=`\nFROM y', 'dockerfile parse error on line 2: only one escape parser directive can be used'],
  ];
  for (const [text, message] of cases) assert.throws(() => parseDockerfile(text), { message }, JSON.stringify(text));
});

test('words: quotes, variables and their modifiers', () => {
  const values: Record<string, string> = { a: 'A', path: 'x/y/z.tar.gz', empty: '' };
  const cases: [string, string][] = [
    ['$a${a}b', 'AAb'],
    ['"$a"\'$a\'', 'A$a'],
    ['\\$a "\\$a" \'\\$a\'', '$a $a \\$a'],
    ['$none|${none}|', '||'],
    ['${none:-d $a}', 'd A'],
    ['${empty:-d}|${empty-d}', 'd|'],
    ['${a:+yes}|${none:+yes}|${empty+set}', 'yes||set'],
    ['${none:-${none:-deep}}', 'deep'],
    ['${path#*/}|${path##*/}|${path%.*}|${path%%.*}', 'y/z.tar.gz|z.tar.gz|x/y/z.tar|x/y/z'],
    ['${path/\\//_}|${path//\\//_}', 'x_y/z.tar.gz|x_y_z.tar.gz'],
    ['$', '$'],
    ['$1', ''],
    ['a b', 'a b'],
  ];
  for (const [word, expected] of cases)
    assert.equal(
      expandWord(word, (name) => values[name]),
      expected,
      word,
    );
  assert.deepEqual(
    expandWords('$list "a b" c\\ d', (name) => ({ list: '1 2' })[name]),
    ['1', '2', 'a b', 'c d'],
  );
  for (const word of ['${', '${a', '${a:', '${a:x}', '${}', '"a', "'a", '${a^}']) {
    assert.throws(() => expandWord(word, () => 'v'), WordError, word);
  }
  assert.throws(() => expandWord('${none:?must be set}', () => undefined), /none: must be set/);
  assert.equal(expandHeredoc('"$a" \'$a\' \\$a \\n', (name) => values[name]), '"A" \'A\' $a \\n');
});

test('words do not take for ever, or all memory', () => {
  const long = 'x'.repeat(100_000);
  const start = performance.now();
  expandWord('${v//*x*x*x*x*y/z}', () => 'x'.repeat(300));
  assert.throws(() => expandWord('$v'.repeat(100), () => long), /too long/);
  assert.throws(() => expandWord('${a:-'.repeat(200) + '}'.repeat(200), () => undefined), /nested too deeply/);
  assert.ok(performance.now() - start < 2000);
});

test('mounts of RUN', () => {
  assert.deepEqual(parseMount('target=/x'), { type: 'bind', target: '/x', required: false, readOnly: true, sharing: 'shared' });
  assert.deepEqual(parseMount('type=cache,id=a,dst=/x,sharing=locked,mode=0755,uid=1,gid=2,from=b,src=/s'), {
    type: 'cache',
    id: 'a',
    target: '/x',
    sharing: 'locked',
    mode: 0o755,
    uid: 1,
    gid: 2,
    from: 'b',
    source: '/s',
    required: false,
    readOnly: false,
  });
  assert.deepEqual(parseMount('type=secret,id=a,required,env=B'), {
    type: 'secret',
    id: 'a',
    env: 'B',
    required: true,
    readOnly: true,
    sharing: 'shared',
  });
  assert.equal(parseMount('type=tmpfs,target=/x,size=10m').sizeBytes, 10 << 20);
  assert.equal(parseMount('type=bind,target=/x,rw').readOnly, false);
  for (const [text, message] of [
    ['type=cash,target=/x', /unsupported mount type "cash" \(did you mean cache\?\)/],
    ['type=cache', /target is required/],
    ['tarjet=/x', /unexpected key 'tarjet' in 'tarjet=\/x' \(did you mean target\?\)/],
    ['type=bind,target=/x,sharing=locked', /invalid cache sharing/],
    ['type=bind,target=/x,mode=777', /mode not allowed/],
    ['type=secret', /one of source, target required/],
    ['target', /must be a key=value pair/],
  ] as const) assert.throws(() => parseMount(text), message, text);
});
