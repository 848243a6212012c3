import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonSyntaxError } from './json-syntax.ts';

test('what is JSON and what is not, in Go’s words', () => {
  const cases: readonly [string, string | undefined][] = [
    ['{"a":[1,-2.5e+3,true,null,"x\\u00e9\\n"],"b":{}}', undefined],
    [' 12 ', undefined],
    ['0', undefined],
    ['[]', undefined],
    ['"x"', undefined],
    ['1e5', undefined],
    ['', 'unexpected end of JSON input'],
    ['{"a":', 'unexpected end of JSON input'],
    ['"abc', 'unexpected end of JSON input'],
    ['[1,', 'unexpected end of JSON input'],
    ['1.', 'unexpected end of JSON input'],
    ['-', 'unexpected end of JSON input'],
    ['tru', 'unexpected end of JSON input'],
    ['hello', "invalid character 'h' looking for beginning of value"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} {', "invalid character '{' after top-level value"],
    ['1 2', "invalid character '2' after top-level value"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12G4"', "invalid character 'G' in \\u hexadecimal character escape"],
    ['trve', "invalid character 'v' in literal true (expecting 'u')"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1ex', "invalid character 'x' in exponent of numeric literal"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['01', "invalid character '1' after top-level value"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
  ];
  for (const [text, want] of cases) assert.equal(jsonSyntaxError(Buffer.from(text)), want, text);
});

test('it agrees with JSON.parse on what is JSON', () => {
  const parts = ['{', '}', '[', ']', ',', ':', '"a"', '1', '-', '.', 'e', 'true', 'null', ' ', '\\'];
  let seed = 7;
  for (let n = 0; n < 3000; n++) {
    let text = '';
    for (let length = 0; length < 6; length++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      text += parts[seed % parts.length];
    }
    let valid = true;
    try {
      JSON.parse(text);
    } catch {
      valid = false; // That is the question.
    }
    assert.equal(jsonSyntaxError(Buffer.from(text)) === undefined, valid, text);
  }
});
