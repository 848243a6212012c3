import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAnswer, parseAnswer, type Answer } from './answer.ts';
import { readScenarios } from './golden-files.ts';
import { formatScenario, parseScenario } from './scenario.ts';

const TEXT = `# A title.
#
# More of it.

namespace: a b

== first
POST /api?x=\${y.z}
Content-Type: application/json
@save y
@raw

{"a":
 1}

-> 201
Warning: 299 - "x"

kind: A

== second
GET /b

-> 204
`;

test('a golden file is read and written without a change', () => {
  const scenario = parseScenario('kube/x', TEXT);
  assert.equal(formatScenario(scenario), TEXT);
  assert.deepEqual(scenario.about, ['A title.', '', 'More of it.']);
  assert.equal(scenario.settings.get('namespace'), 'a b');
  assert.equal(scenario.steps.length, 2);
  assert.deepEqual([...scenario.steps[0]!.directives], [['save', 'y'], ['raw', '']]);
  assert.equal(scenario.steps[0]!.body, '{"a":\n 1}');
  assert.equal(scenario.steps[1]!.answer?.body, '');
});

test('a step that is not of the form is told with its line', () => {
  assert.throws(() => parseScenario('kube/x', '== a\nnothing\n'), /kube\/x\.golden:2: expected a method and a path/);
  assert.throws(() => parseScenario('kube/x', '== a\nGET /x\n@fly\n'), /kube\/x\.golden:3: there is no directive @fly/);
  assert.throws(() => parseScenario('kube/x', '== a\nGET /x\n\n== a\nGET /y\n'), /two steps are called "a"/);
  assert.throws(() => parseScenario('kube/x', 'what is this\n'), /expected a setting or a comment/);
});

test('answers of all forms survive being written and read', () => {
  const answers: Answer[] = [
    { status: 204, headers: {}, body: { form: 'none' } },
    {
      status: 200,
      headers: { warning: 'a\nb', 'content-type': 'x/y' },
      body: {
        form: 'json',
        value: { a: [{ b: 1 }, '', null, 'x\ny'], time: '2020-01-01', no: 'no', '<uid a>': '1', long: 'z'.repeat(200) },
      },
    },
    {
      status: 200,
      headers: {},
      body: {
        form: 'stream',
        values: [
          { type: 'ADDED', object: {} },
          { type: 'x', text: '---' },
        ],
      },
    },
    { status: 404, headers: {}, body: { form: 'text', text: '404 page not found\n\n| piped' } },
    { status: 200, headers: {}, body: { form: 'json', value: 'just a string' } },
    { status: 200, headers: {}, body: { form: 'json', value: [] } },
  ];
  for (const answer of answers) assert.deepEqual(parseAnswer(formatAnswer(answer)), answer);
});

test('every golden file is as the recorder would write it, and has an answer to every step', async () => {
  for (const peer of ['kube', 'docker']) {
    for (const scenario of await readScenarios(peer)) {
      assert.ok(scenario.about.length > 0, `${scenario.name} does not say what it shows`);
      assert.ok(scenario.settings.has('recorded'), `${scenario.name} does not say of what it was recorded`);
      for (const step of scenario.steps) {
        assert.ok(step.answer !== undefined, `${scenario.name}, step "${step.title}" was never recorded`);
        assert.deepEqual(parseAnswer(formatAnswer(parseAnswer(step.answer))), parseAnswer(step.answer));
      }
    }
  }
});
