import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSelector, labelMatcher, matchesMap, parseSelector } from './label-selector.ts';

test('label selectors match as the API says', () => {
  const web = { app: 'web', tier: 'front' };
  assert.equal(labelMatcher(undefined)(web), false);
  assert.equal(labelMatcher({})(web), true);
  assert.equal(labelMatcher({ matchLabels: { app: 'web' } })(web), true);
  assert.equal(labelMatcher({ matchLabels: { app: 'web', tier: 'back' } })(web), false);
  const expressions = (key: string, operator: string, values?: string[]) => labelMatcher({ matchExpressions: [{ key, operator, ...(values && { values }) }] });
  assert.equal(expressions('app', 'In', ['db', 'web'])(web), true);
  assert.equal(expressions('app', 'NotIn', ['db'])(web), true);
  assert.equal(expressions('other', 'NotIn', ['db'])(web), true);
  assert.equal(expressions('other', 'In', ['db'])(undefined), false);
  assert.equal(expressions('tier', 'Exists')(web), true);
  assert.equal(expressions('tier', 'DoesNotExist')(web), false);
  assert.throws(() => expressions('tier', 'Like'), { code: 'invalid' });
  assert.equal(matchesMap({ app: 'web' }, web), true);
  assert.equal(matchesMap({}, web), false);
});

test('the text form parses, and formats back', () => {
  const labels = { a: 'b', e: 'f', j: '' };
  for (const yes of [
    '',
    'a=b',
    'a==b',
    'a = b',
    'c!=d',
    'e in (f,g)',
    'h notin (i)',
    'j',
    '!k',
    'a=b,c!=d, e in (f, g),h notin (i),j,!k',
  ]) {
    assert.equal(parseSelector(yes)(labels), true, yes);
  }
  for (const no of ['a=c', 'a!=b', 'e notin (f)', '!j', 'k', 'a=b,k']) assert.equal(parseSelector(no)(labels), false, no);
  for (const bad of ['a=b=c', ',', 'a in b', '(a)']) assert.throws(() => parseSelector(bad), { code: 'invalid' }, bad);
  const selector = { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'e', operator: 'In', values: ['g', 'f'] }, { key: 'j', operator: 'Exists' }] };
  assert.equal(formatSelector(selector), 'a=b,e in (f,g),j');
  assert.equal(parseSelector(formatSelector(selector))(labels), true);
});
