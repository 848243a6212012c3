import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatLabelSelector,
  labelSelectorMatcher,
  parseFieldSelector,
  parseLabelSelector,
  requirementsMatcher,
} from './selectors.ts';

const matches = (selector: string, labels: Record<string, string>): boolean => requirementsMatcher(parseLabelSelector(selector))(labels);

test('label selector texts', () => {
  const web = { app: 'web', tier: 'a', size: '3' };
  const rows: [string, boolean][] = [
    ['', true], ['app=web', true], ['app==web', true], ['app!=web', false], ['app=web,tier=b', false], ['tier in (a, b)', true], ['tier notin (a,b)', false],
    ['none notin (a)', true], ['none!=a', true], ['app', true], ['!app', false], ['!none', true], ['size>2', true], ['size<3', false], ['app in ()', false],
    ['app=', false], ['constructor', false], ['!constructor', true], ['constructor!=x', true], [' app = web ', true],
  ];
  for (const [selector, expected] of rows) assert.equal(matches(selector, web), expected, selector);
});

test('malformed selectors are refused', () => {
  for (const bad of ['app=web,', '=x', 'app in web', 'app in (a', '!', 'a b', 'app=-x', 'a/b/c=d', `app=${'x'.repeat(64)}`, 'size>x', 'app=!']) {
    assert.throws(() => parseLabelSelector(bad), { code: 'invalid', message: /^unable to parse requirement: / }, bad);
  }
});

test('LabelSelector objects', () => {
  assert.equal(labelSelectorMatcher(undefined)({ a: 'b' }), false);
  assert.equal(labelSelectorMatcher({})({}), true);
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['b', 'a'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  };
  assert.equal(labelSelectorMatcher(selector)({ app: 'web', tier: 'a' }), true);
  assert.equal(labelSelectorMatcher(selector)({ app: 'web', tier: 'a', old: '' }), false);
  assert.equal(formatLabelSelector(selector), 'app=web,!old,tier in (a,b)');
  assert.throws(() => labelSelectorMatcher({ matchExpressions: [{ key: 'a', operator: 'constructor' }] }), { code: 'invalid' });
});

test('field selectors', () => {
  assert.deepEqual(parseFieldSelector('metadata.name=a,spec.nodeName!=b'), [
    { field: 'metadata.name', operator: '=', value: 'a' },
    { field: 'spec.nodeName', operator: '!=', value: 'b' },
  ]);
  assert.deepEqual(parseFieldSelector('metadata.name==a'), [{ field: 'metadata.name', operator: '=', value: 'a' }]);
  assert.deepEqual(parseFieldSelector('spec.nodeName='), [{ field: 'spec.nodeName', operator: '=', value: '' }]);
  assert.deepEqual(parseFieldSelector('a=x\\,y\\=z\\\\'), [{ field: 'a', operator: '=', value: 'x,y=z\\' }]);
  for (const bad of ['metadata.name', 'a=b=c', 'a=\\x']) assert.throws(() => parseFieldSelector(bad), { code: 'invalid' }, bad);
});
