import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dockerIgnore } from './dockerignore.ts';

const excluded = (patterns: string, ...paths: string[]): string[] => paths.filter(dockerIgnore(patterns));

test('patterns match at the root, and cover what lies in a folder', () => {
  assert.deepEqual(excluded('node_modules\n*.log', 'node_modules', 'node_modules/a/b', 'x/node_modules', 'a.log', 'x/a.log'), [
    'node_modules',
    'node_modules/a/b',
    'a.log',
  ]);
  assert.deepEqual(excluded('/dist/', 'dist', 'dist/a', 'src/dist'), ['dist', 'dist/a']);
});

test('** spans folders, also none', () => {
  assert.deepEqual(excluded('**/*.tmp', 'a.tmp', 'x/a.tmp', 'x/y/a.tmp', 'a.txt'), ['a.tmp', 'x/a.tmp', 'x/y/a.tmp']);
  assert.deepEqual(excluded('a/**/z', 'a/z', 'a/b/z', 'a/b/c/z', 'b/z'), ['a/z', 'a/b/z', 'a/b/c/z']);
  assert.deepEqual(excluded('secret/**', 'secret/a', 'secret/b/c', 'public'), ['secret/a', 'secret/b/c']);
});

test('the last match counts: ! brings back, and a later pattern takes away again', () => {
  assert.deepEqual(excluded('*\n!keep\nkeep/not', 'a', 'keep', 'keep/yes', 'keep/not'), ['a', 'keep/not']);
  assert.deepEqual(excluded('*.md\n!README*.md\nREADME-secret.md', 'a.md', 'README.md', 'README-secret.md'), ['a.md', 'README-secret.md']);
});

test('comments, blanks, classes and escapes', () => {
  assert.deepEqual(excluded('# all\n\n[ab].txt\nfile?\n\\*star', 'a.txt', 'c.txt', 'file1', 'file10', '*star', 'xstar'), ['a.txt', 'file1', '*star']);
});

test('a pattern that would lead out stays inside', () => {
  assert.deepEqual(excluded('../a\n./b', 'a', 'b'), ['a', 'b']);
});
