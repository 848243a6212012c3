import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { packTar } from '../../../lib/tar.ts';
import { copyTree, readInTree } from './copy-job.ts';
import type { TreeCopyJob } from './copy-job.ts';
import { digestTree } from './digest-job.ts';
import { makeTreeFolder, removeStubs, resolveInTree } from './folder-jobs.ts';
import { compilePattern, expandPattern } from './match.ts';

interface Place {
  readonly outside: string;
  readonly from: string;
  readonly into: string;
}

function place(t: TestContext, files: Readonly<Record<string, string>> = {}): Place {
  const outside = realpathSync(mkdtempSync(join(tmpdir(), 'tree-')));
  t.after(() => rmSync(outside, { recursive: true }));
  const [from, into] = [join(outside, 'from'), join(outside, 'into')];
  mkdirSync(from);
  mkdirSync(into);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(from, name)), { recursive: true });
    writeFileSync(join(from, name), text);
  }
  return { outside, from, into };
}

function copy(
  { from, into }: Place,
  sources: string[],
  destination: string,
  more: Partial<TreeCopyJob> & { exclude?: string[]; parents?: boolean } = {},
): Promise<void> {
  const { exclude, parents, ...rest } = more;
  return copyTree(
    {
      kind: 'tree-copy',
      selection: { root: from, sources, ...(exclude ? { exclude } : {}), ...(parents ? { parents } : {}) },
      into,
      destination,
      ...rest,
    },
    new AbortController().signal,
  );
}

function tree(folder: string, path = ''): string[] {
  return readdirSync(join(folder, path)).sort().flatMap((name) => {
    const at = path === '' ? name : `${path}/${name}`;
    return lstatSync(join(folder, at)).isDirectory() ? [`${at}/`, ...tree(folder, at)] : [at];
  });
}

test('where a copy goes: files, folders, slashes, several sources, wildcards', async (t) => {
  const files = { a: 'a', 'd/b': 'b', 'd/e/c': 'c', 'x.log': 'x', 'y.log': 'y' };
  const cases: [string[], string, string[]][] = [
    [['a'], '/new', ['new']],
    [['a'], '/new/', ['new/', 'new/a']],
    [['d'], '/new', ['new/', 'new/b', 'new/e/', 'new/e/c']],
    [['d/'], '/', ['b', 'e/', 'e/c']],
    [['a', 'd/b'], '/new/', ['new/', 'new/a', 'new/b']],
    [['*.log'], '/logs/', ['logs/', 'logs/x.log', 'logs/y.log']],
    [['d/*'], '/w/', ['w/', 'w/b', 'w/c']],
    [['**/c'], '/w/', ['w/', 'w/c']],
    [['nothing*'], '/w/', []],
    [['./d/../a'], '/deep/er/a', ['deep/', 'deep/er/', 'deep/er/a']],
  ];
  for (const [sources, destination, expected] of cases) {
    const at = place(t, files);
    await copy(at, sources, destination);
    assert.deepEqual(tree(at.into), expected, `${sources.join(' ')} ${destination}`);
  }
  const at = place(t, files);
  mkdirSync(join(at.into, 'there'));
  await copy(at, ['a'], '/there');
  await copy(at, ['d/e'], '/p/', { parents: true });
  await copy(at, ['.'], '/all', { exclude: ['*.log', 'd/e'] });
  assert.deepEqual(tree(at.into), ['all/', 'all/a', 'all/d/', 'all/d/b', 'p/', 'p/d/', 'p/d/e/', 'p/d/e/c', 'there/', 'there/a']);
  await assert.rejects(copy(at, ['missing'], '/x'), { code: 'not-found', message: '"/missing": not found' });
});

test('owners, modes, times, links and folders that are there already', async (t) => {
  const at = place(t, { a: 'a', 'd/b': 'b' });
  chmodSync(join(at.from, 'a'), 0o4750);
  linkSync(join(at.from, 'a'), join(at.from, 'hard'));
  symlinkSync('../outside', join(at.from, 'd/link'));
  utimesSync(join(at.from, 'a'), 1000, 1000);
  mkdirSync(join(at.into, 'd'), { mode: 0o700 });
  await copy(at, ['.'], '/');
  const stats = (path: string): number[] => {
    const s = lstatSync(join(at.into, path));
    return [s.mode & 0o7777, s.uid, s.gid];
  };
  assert.deepEqual(stats('a'), [0o4750, 0, 0]);
  assert.equal(statSync(join(at.into, 'a')).mtimeMs, 1_000_000);
  assert.equal(statSync(join(at.into, 'a')).ino, statSync(join(at.into, 'hard')).ino);
  assert.equal(readlinkSync(join(at.into, 'd/link')), '../outside');
  await copy(at, ['a'], '/made/x/a', { owner: { uid: 5, gid: 6 }, mode: 0o600 });
  assert.deepEqual([stats('made'), stats('made/x'), stats('made/x/a')], [[0o755, 5, 6], [0o755, 5, 6], [0o600, 5, 6]]);
  await copy(at, [], '/here', { files: [{ name: 'EOF', content: 'text' }] });
  assert.equal(readFileSync(join(at.into, 'here'), 'utf8'), 'text');
});

test('nothing is written through a link out of the root, and nothing is read from outside', async (t) => {
  const at = place(t, { a: 'evil', 'd/a': 'evil' });
  writeFileSync(join(at.outside, 'secret'), 'secret');
  symlinkSync(at.outside, join(at.into, 'abs'));
  symlinkSync('../../..', join(at.into, 'up'));
  symlinkSync(join(at.outside, 'secret'), join(at.into, 'file'));
  symlinkSync('../secret', join(at.from, 'leak'));
  symlinkSync('..', join(at.from, 'leakdir'));
  await copy(at, ['a'], '/abs/secret');
  await copy(at, ['a'], '/up/secret2');
  await copy(at, ['a'], '/file');
  await copy(at, ['d'], '/abs');
  await copy(at, ['a'], '/../../../secret3');
  assert.equal(readFileSync(join(at.outside, 'secret'), 'utf8'), 'secret');
  assert.deepEqual(readdirSync(at.outside).sort(), ['from', 'into', 'secret']);
  assert.equal(readFileSync(join(at.into, 'secret3'), 'utf8'), 'evil');
  assert.equal(lstatSync(join(at.into, 'file')).isSymbolicLink(), false);
  await assert.rejects(copy(at, ['leak'], '/x'), { code: 'not-found' });
  await assert.rejects(copy(at, ['leakdir/secret'], '/x'), { code: 'not-found' });
  assert.equal(readInTree({ kind: 'tree-read', root: at.from, path: 'leak', maxBytes: 100 }), undefined);
  assert.deepEqual(resolveInTree({ kind: 'tree-resolve', root: at.from, paths: ['leak', 'd', '/leakdir/d/a'] }), [
    undefined,
    { path: join(at.from, 'd'), folder: true },
    { path: join(at.from, 'd/a'), folder: false },
  ]);
  assert.equal(makeTreeFolder({ kind: 'tree-folder', root: at.into, path: '/abs/new/folder', owner: { uid: 0, gid: 0 } }), true);
  assert.equal(existsSync(join(at.outside, 'new')), false);
});

test('archives: unpacked when they are, copied when not', async (t) => {
  const at = place(t, { plain: 'not an archive', 'half.tgz': '\x1f\x8bnot gzip' });
  const pieces: Buffer[] = [];
  for await (const piece of packTar([
    { header: { name: 'in/side', type: 'file', mode: 0o640, uid: 3, gid: 4, size: 1, mtime: 0 }, body: Buffer.from('x') },
    { header: { name: '.wh.name', type: 'file', mode: 0o600, uid: 0, gid: 0, size: 0, mtime: 0 } },
  ])) {
    pieces.push(piece);
  }
  writeFileSync(join(at.from, 'a.tar'), Buffer.concat(pieces));
  writeFileSync(join(at.from, 'b.tgz'), gzipSync(Buffer.concat(pieces)));
  await copy(at, ['a.tar', 'plain', 'half.tgz'], '/x/', { unpack: { maxBytes: 1000 } });
  await copy(at, ['b.tgz'], '/y', { unpack: { maxBytes: 1000 }, owner: { uid: 9, gid: 9 } });
  assert.deepEqual(tree(at.into), ['x/', 'x/.wh.name', 'x/half.tgz', 'x/in/', 'x/in/side', 'x/plain', 'y/', 'y/.wh.name', 'y/in/', 'y/in/side']);
  assert.deepEqual([statSync(join(at.into, 'x/in/side')).uid, statSync(join(at.into, 'y/in/side')).uid], [3, 9]);
});

test('a digest says what a copy would make: content and mode, not times or a folder’s name', (t) => {
  const digest = (at: Place, ...sources: string[]): string => digestTree({ kind: 'tree-digest', selection: { root: at.from, sources } });
  const [one, two] = [place(t, { 'd/a': '1', 'd/b': '2' }), place(t, { 'other/a': '1', 'other/b': '2' })];
  utimesSync(join(two.from, 'other/a'), 1, 1);
  assert.equal(digest(one, 'd'), digest(two, 'other'));
  assert.notEqual(digest(one, 'd/a'), digest(one, 'd/b'));
  const before = digest(one, 'd');
  chmodSync(join(one.from, 'd/a'), 0o700);
  assert.notEqual(digest(one, 'd'), before);
  writeFileSync(join(two.from, 'other/a'), '9');
  assert.notEqual(digest(two, 'other'), before);
});

test('patterns', (t) => {
  const matches = (pattern: string, path: string, prefix = false): boolean => compilePattern(pattern, prefix)(path);
  for (const [pattern, path] of [
    ['*.go', 'a.go'],
    ['a/*/c', 'a/b/c'],
    ['**', 'a/b'],
    ['**/c', 'c'],
    ['**/c', 'a/b/c'],
    ['a/**/c', 'a/c'],
    ['a/**', 'a/b/c'],
    ['[a-c]?', 'bx'],
    ['[^a]', 'b'],
    ['\\*', '*'],
  ] as const) {
    assert.ok(matches(pattern, path), `${pattern} ${path}`);
  }
  for (const [pattern, path] of [
    ['*.go', 'd/a.go'],
    ['a/*/c', 'a/b/d/c'],
    ['[a-c]', 'd'],
    ['[^a]', 'a'],
    ['\\*', 'x'],
    ['a', 'a/b'],
  ] as const) {
    assert.ok(!matches(pattern, path), `${pattern} ${path}`);
  }
  assert.ok(matches('a', 'a/b', true));
  const start = performance.now();
  assert.ok(!matches('*a'.repeat(30) + 'b', 'a'.repeat(200)));
  assert.ok(!matches('**/x/'.repeat(30) + 'y', 'x/'.repeat(200)));
  assert.ok(performance.now() - start < 500);
  const at = place(t, { 'a/1.txt': '', 'a/b/2.txt': '', '3.txt': '' });
  assert.deepEqual(expandPattern(at.from, '**/*.txt'), ['3.txt', 'a/1.txt', 'a/b/2.txt']);
  assert.deepEqual(expandPattern(at.from, 'a/*'), ['a/1.txt', 'a/b']);
});

test('places of mounts are taken away where they are new and empty', (t) => {
  const at = place(t, { 'etc/hosts': 'kept', 'run/x': '' });
  const upper = at.into;
  mkdirSync(join(upper, 'etc'));
  writeFileSync(join(upper, 'etc/hosts'), '');
  writeFileSync(join(upper, 'etc/resolv.conf'), '');
  mkdirSync(join(upper, 'mnt/deep/er'), { recursive: true });
  mkdirSync(join(upper, 'used'));
  writeFileSync(join(upper, 'used/file'), '');
  mkdirSync(join(upper, 'run'));
  const empty = removeStubs({ kind: 'tree-stubs', upper, lower: [at.from], paths: ['/etc/hosts', '/etc/resolv.conf', '/mnt/deep/er', '/used', '/never'] });
  assert.deepEqual(tree(upper), ['etc/', 'etc/hosts', 'run/', 'used/', 'used/file']);
  assert.equal(empty, false);
  for (const name of ['etc', 'used']) rmSync(join(upper, name), { recursive: true });
  chmodSync(join(upper, 'run'), statSync(join(at.from, 'run')).mode);
  assert.equal(removeStubs({ kind: 'tree-stubs', upper, lower: [at.from], paths: [] }), true, 'a folder that is the same as below changes nothing');
});
