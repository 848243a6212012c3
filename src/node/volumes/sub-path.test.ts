// A container that shares a volume swaps a folder of it for a link, over and over, while a part of the volume is
// mounted for another one. A mount by name goes astray, which shows that the swapping bites.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { renameAt, RENAME_EXCHANGE } from '../../host/fs.ts';
import { LinuxMounts } from '../../host/mounts.ts';
import { isErrno } from '../../lib/errors.ts';
import { mountSubPath } from './sub-path.ts';

const MOUNTS = 300;
const MOST_MOUNTS = 20_000;

const [volumeArgument] = process.argv.slice(2);
if (process.send && volumeArgument !== undefined) {
  const volume = openSync(volumeArgument, constants.O_RDONLY | constants.O_DIRECTORY);
  const swap = (): void => {
    for (let n = 0; n < 50; n++) renameAt(volume, 'part', volume, 'link', RENAME_EXCHANGE);
    setImmediate(swap); // the parent ends this
  };
  swap();
  process.send('swapping');
} else {
  const mounts = new LinuxMounts();
  const setUp = async (t: TestContext): Promise<{ root: string; outside: string; target: string; mount: (path: string) => Promise<string> }> => {
    const base = await mkdtemp(join(tmpdir(), 'longshore-sub-path-'));
    t.after(async () => {
      for (const mounted of await mounts.beneath(base)) await mounts.unmount(mounted);
      await rm(base, { recursive: true });
    });
    const [root, outside, target] = [join(base, 'volume'), join(base, 'outside'), join(base, 'own', 'c-0')];
    await mkdir(join(root, 'part'), { recursive: true });
    await mkdir(outside);
    await writeFile(join(root, 'part/file'), 'inside');
    await writeFile(join(outside, 'file'), 'outside');
    return { root, outside, target, mount: (path) => mountSubPath(mounts, { root, path, target, object: 'volume "v"' }) };
  };
  const refused = { code: 'invalid' };

  test('a folder, a file, a link that stays inside, and what is missing yet', async (t) => {
    const { root, target, mount } = await setUp(t);
    assert.equal(await readFile(join(await mount('part'), 'file'), 'utf8'), 'inside');
    assert.equal(await readFile(await mount('./part//file'), 'utf8'), 'inside', 'again, and of another kind, for the next run of the container');
    await mkdir(join(root, '..one'));
    await writeFile(join(root, '..one/key'), 'value');
    await symlink('..one', join(root, '..data'));
    await symlink('..data/key', join(root, 'key'));
    assert.equal(await readFile(await mount('key'), 'utf8'), 'value', 'as keys of a ConfigMap are');
    const { mode } = await stat(root);
    assert.equal((await stat(await mount('new/deep'))).mode, mode, 'made with the mode of the volume');
    assert.ok((await lstat(join(root, 'new/deep'))).isDirectory());
    assert.deepEqual(await mounts.beneath(target), [target]);
  });

  test('links and paths that lead out are refused, and make nothing outside', async (t) => {
    const { root, outside, mount } = await setUp(t);
    await symlink(outside, join(root, 'absolute'));
    await symlink('../outside', join(root, 'climbing'));
    await symlink('part/../../outside', join(root, 'around'));
    await symlink('/proc/self/root', join(root, 'magic'));
    await symlink('/nowhere', join(root, 'dangling'));
    for (const path of [
      'absolute',
      'climbing',
      'around',
      'magic',
      'dangling',
      'absolute/new',
      'climbing/new/deep',
      'dangling/new',
      '../outside',
      '/etc',
      'part/../../outside',
    ]) {
      await assert.rejects(mount(path), refused, path);
    }
    await assert.rejects(lstat(join(outside, 'new')), { code: 'ENOENT' });
  });

  test('a folder that is swapped for a link while it is mounted leads nowhere else', async (t) => {
    const { root, outside, target, mount } = await setUp(t);
    await symlink(outside, join(root, 'link'));
    const child = fork(import.meta.filename, [root], { stdio: 'inherit', execArgv: [] });
    const ended = once(child, 'exit');
    await once(child, 'message');
    try {
      const careless = join(root, '..', 'careless');
      await mkdir(careless);
      let left = false;
      for (let n = 0; n < MOST_MOUNTS && !left; n++) {
        // Looks first, and mounts by name then.
        if ((await lstat(join(root, 'part'))).isSymbolicLink()) continue;
        const undo = await mounts.bind(join(root, 'part'), careless);
        left = (await readFile(join(careless, 'file'), 'utf8')) === 'outside';
        await undo();
      }
      assert.ok(left, 'the control must be led astray');
      const seen = new Map<string, number>();
      for (let n = 0; n < MOUNTS; n++) {
        let what: string;
        try {
          what = await readFile(join(await mount('part'), 'file'), 'utf8');
        } catch (error) {
          what = isErrno(error, 'EAGAIN') ? 'EAGAIN' : (error as { code?: string }).code ?? 'unknown';
        }
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }
      for (const what of seen.keys()) assert.ok(['inside', 'invalid', 'EAGAIN'].includes(what), what);
      assert.ok((seen.get('inside') ?? 0) > 0, JSON.stringify([...seen]));
      await mounts.unmount(target);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
}
