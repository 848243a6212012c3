import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familiar, fullName, isLoopbackDomain, parseReference, parseTagged } from './reference.ts';

const HEX = 'a'.repeat(64);

test('names are normalised as Docker does, and shown short again', () => {
  const cases: [string, string, string][] = [
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/app:v1', 'localhost:5000/app:v1', 'localhost:5000/app:v1'],
    ['ghcr.io/a/b/c__d--e', 'ghcr.io/a/b/c__d--e:latest', 'ghcr.io/a/b/c__d--e:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    ['Registry/app', 'Registry/app:latest', 'Registry/app:latest'],
    [`busybox@sha256:${HEX}`, `docker.io/library/busybox@sha256:${HEX}`, `busybox@sha256:${HEX}`],
    [`busybox:1@sha256:${HEX}`, `docker.io/library/busybox@sha256:${HEX}`, `busybox@sha256:${HEX}`],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ];
  for (const [text, full, short] of cases) {
    assert.equal(fullName(parseTagged(text)), full);
    assert.equal(familiar(full), short);
    assert.equal(fullName(parseTagged(short)), full);
  }
});

test("malformed names are refused in Docker's words", () => {
  for (const text of [
    '',
    ' ',
    'a b',
    '-a',
    'a/',
    '/a',
    'a//b',
    'a:',
    'a:b:c',
    'a:-t',
    `a:${'t'.repeat(129)}`,
    'a@',
    'a@sha256:zz',
    'a._b',
    'a..b',
    'http://x/y',
    '../x',
    'x\n',
    'a:b/c',
  ]) {
    assert.throws(() => parseReference(text), { message: 'invalid reference format', code: 'invalid' }, JSON.stringify(text));
  }
  assert.throws(() => parseReference('Foo'), { message: 'invalid reference format: repository name (library/Foo) must be lowercase' });
  assert.throws(() => parseReference('a/B:x'), { message: 'invalid reference format: repository name (a/B) must be lowercase' });
  assert.throws(() => parseReference(HEX), { message: `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings` });
  assert.throws(() => parseReference(`a@sha256:${'a'.repeat(63)}`), { message: 'invalid checksum digest length' });
  assert.throws(() => parseReference(`a@md5:${'a'.repeat(32)}`), { message: 'unsupported digest algorithm' });
  assert.throws(() => parseReference(`x/${'a'.repeat(250)}`), { message: 'repository name must not be more than 255 characters' });
});

test('only this machine is spoken to without TLS', () => {
  for (const domain of ['localhost', 'localhost:5000', '127.0.0.1:1', '127.9.9.9', '[::1]:80']) {
    assert.equal(isLoopbackDomain(domain), true, domain);
  }
  for (const domain of ['docker.io', '127.0.0.1.evil.com', 'localhost.evil.com:5000', '10.0.0.1:5000', '[::2]']) {
    assert.equal(isLoopbackDomain(domain), false, domain);
  }
});
