import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCode, messageOf } from '../../lib/errors.ts';
import { parseBody } from './json-body.ts';

function refusal(text: string): string {
  try {
    parseBody(text);
  } catch (error) {
    assert.ok(isCode(error, 'invalid'));
    return messageOf(error);
  }
  return assert.fail(`${text} was taken`);
}

test('what is wrong with a body is said as Docker says it', () => {
  const wrong: Record<string, string> = {
    '{invalid json': "invalid JSON: invalid character 'i' looking for beginning of object key string",
    '{"Image":': 'invalid JSON: unexpected EOF',
    '{"Image"': 'invalid JSON: unexpected EOF',
    '{"Image" 1}': "invalid JSON: invalid character '1' after object key",
    '{"a":1 "b":2}': `invalid JSON: invalid character '"' after object key:value pair`,
    '{"a":1,}': "invalid JSON: invalid character '}' looking for beginning of object key string",
    '[1,]': "invalid JSON: invalid character ']' looking for beginning of value",
    '[1 2]': "invalid JSON: invalid character '2' after array element",
    "{'a':1}": String.raw`invalid JSON: invalid character '\'' looking for beginning of object key string`,
    '{"a":tru}': "invalid JSON: invalid character '}' in literal true (expecting 'e')",
    '{"a":"\\x"}': "invalid JSON: invalid character 'x' in string escape code",
    '{"a":"\\u12g4"}': String.raw`invalid JSON: invalid character 'g' in \u hexadecimal character escape`,
    '{"a":"\n"}': String.raw`invalid JSON: invalid character '\n' in string literal`,
    '{"a":01}': "invalid JSON: invalid character '1' after object key:value pair",
    '{"a":1.}': "invalid JSON: invalid character '}' after decimal point in numeric literal",
    '{"a":1e}': "invalid JSON: invalid character '}' in exponent of numeric literal",
    '{"a":-}': "invalid JSON: invalid character '}' in numeric literal",
    '  ': 'invalid JSON: unexpected EOF',
    '{} trailing': 'unexpected content after JSON',
    '{}{}': 'unexpected content after JSON',
  };
  for (const [text, message] of Object.entries(wrong)) assert.equal(refusal(text), message, text);
});

test('a body is parsed, and one nested too deep is not; depth is counted outside of strings', () => {
  assert.deepEqual(parseBody(' {"a":[1,"]}",null]} '), { a: [1, ']}', null] });
  parseBody('['.repeat(100) + ']'.repeat(100));
  parseBody(JSON.stringify({ text: '['.repeat(5000), quote: '\\"' + '{'.repeat(500) }));
  parseBody(`[${'[],'.repeat(1000)}0]`);
  assert.match(refusal('['.repeat(101) + ']'.repeat(101)), /nested too deep/);
});
