// Every class of archive that has broken out of its folder somewhere; see the tree outside afterwards.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { lgetxattr } from '../../../host/fs.ts';
import { packTar, TarParser } from '../../../lib/tar.ts';
import type { PackEntry, TarHeader } from '../../../lib/tar.ts';
import { Extractor } from './extract.ts';
import type { Extracted, ExtractOptions } from './extract.ts';
import { isWhiteout, OPAQUE_XATTR } from './overlay.ts';
import { settleLayer } from './settle-job.ts';

interface Place {
  readonly outside: string;
  readonly root: string;
}

/** A root in a folder whose other content must not change. */
function place(t: TestContext): Place {
  const outside = mkdtempSync(join(tmpdir(), 'extract-'));
  t.after(() => rmSync(outside, { recursive: true }));
  mkdirSync(join(outside, 'root'));
  mkdirSync(join(outside, 'root-evil'));
  writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o600 });
  mkdirSync(join(outside, 'etc'));
  writeFileSync(join(outside, 'etc/passwd'), 'root');
  return { outside, root: join(outside, 'root') };
}

function snapshot({ outside }: Place): unknown {
  const walk = (folder: string): unknown[] =>
    readdirSync(folder)
      .sort()
      .filter((name) => !(folder === outside && name === 'root'))
      .map((name) => {
        const path = join(folder, name);
        const stats = lstatSync(path);
        return [path, stats.mode, stats.uid, stats.nlink, stats.isDirectory() ? walk(path) : readFileSync(path, 'utf8')];
      });
  return walk(outside);
}

function header(name: string, more: Partial<TarHeader> = {}): TarHeader {
  return { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1_000_000_000, ...more };
}

const file = (name: string, body = '', more: Partial<TarHeader> = {}): PackEntry => ({
  header: header(name, { size: body.length, ...more }),
  body: Buffer.from(body),
});
const folder = (name: string, more: Partial<TarHeader> = {}): PackEntry => ({
  header: header(name, { type: 'directory', mode: 0o755, ...more }),
});
const symlink = (name: string, linkname: string): PackEntry => ({ header: header(name, { type: 'symlink', linkname }) });
const link = (name: string, linkname: string): PackEntry => ({ header: header(name, { type: 'link', linkname }) });

async function extract(root: string, entries: readonly PackEntry[], options: Partial<ExtractOptions> = {}): Promise<Extracted> {
  const extractor = new Extractor(root, { whiteouts: 'overlay', maxBytes: 1 << 20, ...options });
  try {
    const parser = new TarParser(extractor);
    for await (const piece of packTar(entries)) parser.write(piece);
    parser.end();
    return extractor.finish();
  } finally {
    extractor.close();
  }
}

const REFUSED: Readonly<Record<string, readonly PackEntry[]>> = {
  'a name that climbs': [file('../secret', 'x')],
  'an absolute name that climbs': [file('/../secret', 'x')],
  'a name that climbs from within': [folder('a'), file('a/../../secret', 'x')],
  'a folder that climbs': [folder('..')],
  'a hard link that climbs': [link('x', '../secret')],
  'a hard link without a target': [link('x', '')],
  'a file as the root': [file('.', 'x')],
  'an empty name': [file('', 'x')],
  'a symlink as the root': [symlink('/', '/etc')],
  'a whiteout of nothing': [file('.wh.')],
  'a whiteout of the folder': [file('etc/.wh..')],
  'a whiteout of the parent': [file('.wh...')],
  'a whiteout of a whiteout': [file('.wh..wh.')],
  'a whiteout device': [{ header: header('w', { type: 'character-device', devMajor: 0, devMinor: 0 }) }],
  'a file as a folder': [file('a'), file('a/b')],
  'symlinks in a circle': [symlink('a', 'b'), symlink('b', 'a'), file('a/x')],
  'more bytes than allowed': [file('big', 'x'.repeat(600_000)), file('big2', 'x'.repeat(600_000))],
};

for (const [name, entries] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, async (t) => {
    const at = place(t);
    const before = snapshot(at);
    await assert.rejects(extract(at.root, entries), (error: Error & { code: string }) => error.code === 'invalid' || error.code === 'too-large');
    assert.deepEqual(snapshot(at), before);
  });
}

const KEPT_IN: Readonly<Record<string, (at: Place) => readonly PackEntry[]>> = {
  'a file through an absolute symlink': (at) => [symlink('a', `${at.outside}/etc`), file('a/passwd', 'evil')],
  'a file through a relative symlink': () => [symlink('a', '../etc'), file('a/passwd', 'evil')],
  'a file over a symlink': (at) => [symlink('a', `${at.outside}/secret`), file('a', 'evil')],
  'a folder over a symlink': (at) => [symlink('a', `${at.outside}/etc`), folder('a', { mode: 0o777, uid: 7 }), file('a/passwd', 'evil')],
  'a hard link to a symlink that leads out, then a file': (at) => [symlink('a', `${at.outside}/secret`), link('b', 'a'), file('b', 'evil')],
  'a hard link to a symlink that leads out, then its mode': (at) => [symlink('a', `${at.outside}/secret`), link('b', 'a'), link('c', 'b')],
  'a hard link through a symlinked folder': (at) => [symlink('d', at.outside), link('b', 'd/secret')],
  'two hops': () => [folder('inner'), symlink('inner/up', '..'), symlink('escape', 'inner/up/../..'), file('escape/secret', 'evil')],
  'a sibling whose name begins alike': () => [symlink('a', '../root-evil'), file('a/x', 'evil')],
  'a folder replaced by a symlink': (at) => [folder('a'), file('a/x', 'good'), symlink('a', `${at.outside}/etc`), file('a/passwd', 'evil')],
  'a symlink replaced under an open folder': (at) => [
    folder('r'),
    symlink('a', 'r'),
    file('a/x', 'good'),
    symlink('a', `${at.outside}/etc`),
    file('a/passwd', 'evil'),
  ],
  'a folder through a symlink': () => [symlink('a', '../etc'), folder('a/new', { mode: 0o777 })],
  'a whiteout through a symlinked parent': () => [symlink('a', '../etc'), file('a/.wh.passwd'), file('a/.wh..wh..opq')],
  'a device through a symlink': () => [symlink('a', '../etc'), { header: header('a/null', { type: 'character-device', devMajor: 1, devMinor: 3 }) }],
  'the process file system': () => [symlink('a', '/proc/self/cwd'), file('a/x', 'evil'), symlink('b', '/proc/self/root'), file('b/longshore-test', 'evil')],
  'names that differ by case': () => [symlink('A', '../etc'), folder('a'), file('a/passwd', 'x')],
};

for (const [name, entries] of Object.entries(KEPT_IN)) {
  test(`stays inside: ${name}`, async (t) => {
    const at = place(t);
    const before = snapshot(at);
    await extract(at.root, entries(at));
    assert.deepEqual(snapshot(at), before);
    assert.equal(existsSync('/longshore-test'), false);
  });
}

test('the check of the tree outside catches a careless extraction', async (t) => {
  const at = place(t);
  const before = snapshot(at);
  symlinkSync('../etc', join(at.root, 'a'));
  // What joining strings does.
  writeFileSync(join(at.root, 'a/passwd'), 'evil');
  assert.notDeepEqual(snapshot(at), before);
});

test('a layer becomes what it says: modes, owners, times, links, devices, attributes', async (t) => {
  const { root } = place(t);
  const extracted = await extract(root, [
    folder('./', { mode: 0o711, mtime: 5 }),
    folder('bin/', { mode: 0o1777, uid: 1, gid: 2, mtime: 7 }),
    file('bin/su', 'setuid', {
      mode: 0o4755,
      uid: 3,
      gid: 4,
      xattrs: new Map([
        ['user.x', Buffer.from('y')],
        ['trusted.overlay.redirect', Buffer.from('/etc')],
        ['trusted.overlay.opaque', Buffer.from('y')],
      ]),
    }),
    link('bin/sudo', 'bin/su'),
    symlink('abs', '/etc/passwd'),
    { header: header('null', { type: 'character-device', devMajor: 1, devMinor: 3, mode: 0o666 }) },
    { header: header('pipe', { type: 'fifo', mode: 0o620, gid: 5 }) },
    file('deep/er/file', 'x'),
  ]);
  assert.deepEqual(extracted, { bytes: 7, implicit: ['deep', 'deep/er'], pendingLinks: [] });
  const stats = (path: string): unknown[] => {
    const s = lstatSync(join(root, path));
    return [s.mode & 0o7777, s.uid, s.gid, s.mtimeMs / 1000];
  };
  assert.deepEqual(stats('.'), [0o711, 0, 0, 5]);
  assert.deepEqual(stats('bin'), [0o1777, 1, 2, 7]);
  assert.deepEqual(stats('bin/su'), [0o4755, 3, 4, 1_000_000_000]);
  assert.equal(statSync(join(root, 'bin/su')).ino, statSync(join(root, 'bin/sudo')).ino);
  assert.equal(lgetxattr(join(root, 'bin/su'), 'user.x')?.toString(), 'y');
  assert.equal(lgetxattr(join(root, 'bin/su'), 'trusted.overlay.redirect'), undefined);
  assert.equal(lgetxattr(join(root, 'bin/su'), OPAQUE_XATTR), undefined);
  assert.equal(readlinkSync(join(root, 'abs')), '/etc/passwd');
  assert.deepEqual([lstatSync(join(root, 'null')).rdev, lstatSync(join(root, 'null')).mode & 0o777], [259, 0o666]);
  assert.deepEqual(stats('pipe'), [0o620, 0, 5, 1_000_000_000]);
});

test('whiteouts become the overlay’s, and never hide what their own layer brings', async (t) => {
  const { root } = place(t);
  await extract(root, [
    file('etc/.wh.gone'),
    folder('opt'),
    file('opt/.wh..wh..opq'),
    file('opt/kept', 'x'),
    // Before and after what the same layer adds under the name.
    file('.wh.a'),
    folder('a'),
    file('.wh.b'),
    file('b/in', 'x'),
    folder('c'),
    file('.wh.c'),
    file('.wh.d'),
    file('d', 'x'),
    file('.wh..wh.plnk'),
  ]);
  const opaque = (path: string): string | undefined => lgetxattr(join(root, path), OPAQUE_XATTR)?.toString();
  assert.ok(isWhiteout(lstatSync(join(root, 'etc/gone'))));
  for (const path of ['opt', 'a', 'b', 'c']) assert.equal(opaque(path), 'y', path);
  assert.equal(opaque('etc'), undefined);
  assert.equal(readFileSync(join(root, 'd'), 'utf8'), 'x');
  assert.equal(existsSync(join(root, '.wh..wh.plnk')), false);
  const plain = place(t);
  await extract(plain.root, [file('.wh.x', 'just a name')], { whiteouts: 'none' });
  assert.equal(readFileSync(join(plain.root, '.wh.x'), 'utf8'), 'just a name');
});

test('a later entry replaces an earlier one, of whatever kind', async (t) => {
  const { root } = place(t);
  await extract(root, [file('a', '1'), link('b', 'a'), file('a', '2'), folder('d'), file('d/x', 'x'), file('d', 'now a file'), file('e', ''), folder('e')]);
  assert.equal(readFileSync(join(root, 'a'), 'utf8'), '2');
  assert.equal(readFileSync(join(root, 'b'), 'utf8'), '1', 'the other link is another file now');
  assert.equal(readFileSync(join(root, 'd'), 'utf8'), 'now a file');
  assert.ok(statSync(join(root, 'e')).isDirectory());
  await assert.rejects(extract(root, [folder('d')], { keepKinds: true, whiteouts: 'none' }), { message: 'cannot overwrite non-directory "/d" with directory' });
  await assert.rejects(extract(root, [file('e')], { keepKinds: true, whiteouts: 'none' }), { message: 'cannot overwrite directory "/e" with non-directory' });
});

test('a layer is settled on those below: folders without an entry, links downwards, symlinks in the way', async (t) => {
  const { root, outside } = place(t);
  const lower = join(outside, 'lower');
  mkdirSync(join(lower, 'tmp'), { recursive: true });
  chmodSync(join(lower, 'tmp'), 0o1777);
  mkdirSync(join(lower, 'usr/bin'), { recursive: true });
  writeFileSync(join(lower, 'usr/bin/tool'), 'tool', { mode: 0o755 });
  symlinkSync('usr/bin', join(lower, 'bin'));
  const layer = [file('tmp/x', 'x'), link('usr/lib/alias', 'usr/bin/tool'), file('bin/new', 'new')];
  const first = await extract(root, layer);
  assert.deepEqual(first.pendingLinks, [{ path: 'usr/lib/alias', target: 'usr/bin/tool' }]);
  const { throughSymlink } = settleLayer({ kind: 'settle', folder: root, lower: [lower], extracted: first });
  assert.deepEqual(throughSymlink, [{ path: 'bin', target: 'usr/bin' }]);
  rmSync(root, { recursive: true });
  mkdirSync(root);
  const second = await extract(root, layer, { redirects: throughSymlink });
  assert.deepEqual(settleLayer({ kind: 'settle', folder: root, lower: [lower], extracted: second }).throughSymlink, []);
  assert.equal(readFileSync(join(root, 'usr/bin/new'), 'utf8'), 'new');
  assert.equal(existsSync(join(root, 'bin')), false);
  assert.equal(statSync(join(root, 'tmp')).mode & 0o7777, 0o1777);
  assert.equal(readFileSync(join(root, 'usr/lib/alias'), 'utf8'), 'tool');
  assert.equal(statSync(join(root, 'usr/bin/tool')).ino, statSync(join(root, 'usr/lib/alias')).ino);
  assert.throws(
    () =>
      settleLayer({
        kind: 'settle',
        folder: root,
        lower: [lower],
        extracted: { implicit: [], pendingLinks: [{ path: 'x', target: 'none' }] },
      }),
    /hard link to "none", which is not there/,
  );
});
