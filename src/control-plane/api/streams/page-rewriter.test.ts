import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PageRewriter } from './page-rewriter.ts';

function rewrite(page: string, size = page.length): string {
  const rewriter = new PageRewriter('/proxied');
  const parts: Buffer[] = [];
  const bytes = Buffer.from(page);
  for (let at = 0; at < bytes.length; at += size) parts.push(rewriter.push(bytes.subarray(at, at + size)));
  return Buffer.concat([...parts, rewriter.end()]).toString();
}

const CASES: readonly (readonly [string, string])[] = [
  ['<a href="/page">x</a>', '<a href="/proxied/page">x</a>'],
  ["<IMG SRC='/i.png'>", "<IMG SRC='/proxied/i.png'>"],
  ['<a class="b" href=/bare>', '<a class="b" href=/proxied/bare>'],
  ['<a href="//elsewhere/x"><a href="https://a/b"><a href="beside">', '<a href="//elsewhere/x"><a href="https://a/b"><a href="beside">'],
  ['<form action="/go"><link\n href="/s.css">', '<form action="/proxied/go"><link\n href="/proxied/s.css">'],
  ['text with href="/no" and a < b', 'text with href="/no" and a < b'],
  ['<script>var a = \'<a href="/x">\'</script><a href="/y">', '<script>var a = \'<a href="/x">\'</script><a href="/proxied/y">'],
  ['<a data-href="/own">ö</a>', '<a data-href="/own">ö</a>'],
];

test('addresses at the root lead through the proxy, in pieces of any size', () => {
  for (const [page, expected] of CASES) {
    for (const size of [1, 2, 7, 1000]) {
      assert.equal(rewrite(page, size), expected, `${page} in pieces of ${size}`);
    }
  }
});

test('a tag without an end is not kept for ever', () => {
  const endless = `<a href="/x" ${'b'.repeat(200_000)}`;
  const rewriter = new PageRewriter('/p');
  let longest = 0;
  let total = 0;
  for (let at = 0; at < endless.length; at += 1000) {
    total += rewriter.push(Buffer.from(endless.slice(at, at + 1000))).length;
    longest = Math.max(longest, at + 1000 - total);
  }
  assert.ok(longest <= 67_000, `${longest} characters were held back`);
});
