// A folder is swapped for a symlink, over and over, while files beneath it are opened: openInRoot never leaves the
// root. A plain open does, which shows that the swapping bites.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openInRootSync } from './beneath.ts';
import { renameAt, RENAME_EXCHANGE } from './fs.ts';

const OPENS = 2_000;
const MOST_OPENS = 200_000;

const [folderArgument] = process.argv.slice(2);
if (process.send && folderArgument !== undefined) {
  const folder = openSync(folderArgument, constants.O_RDONLY | constants.O_DIRECTORY);
  const swap = (): void => {
    for (let n = 0; n < 50; n++) renameAt(folder, 'dir', folder, 'link', RENAME_EXCHANGE);
    setImmediate(swap); // the parent ends this
  };
  swap();
  process.send('swapping');
} else {
  test('a symlink swapped in a loop', async () => {
    const base = mkdtempSync(join(tmpdir(), 'longshore-race-'));
    const root = join(base, 'root');
    mkdirSync(join(root, 'dir'), { recursive: true });
    mkdirSync(join(base, 'out'));
    writeFileSync(join(root, 'dir/file'), 'inside');
    writeFileSync(join(base, 'out/file'), 'outside');
    symlinkSync(join(base, 'out'), join(root, 'link'));
    const child = fork(import.meta.filename, [root], { stdio: 'inherit', execArgv: [] });
    const ended = once(child, 'exit');
    await once(child, 'message');
    try {
      let left = false;
      for (let n = 0; n < MOST_OPENS && !left; n++) left = readFileSync(join(root, 'dir/file'), 'utf8') === 'outside';
      assert.ok(left, 'the control must leave the root');
      const seen = new Map<string, number>();
      for (let n = 0; n < OPENS; n++) {
        let what;
        try {
          const fd = openInRootSync(root, 'dir/file', constants.O_RDONLY, { follow: n % 2 ? 'root' : 'beneath' });
          what = readFileSync(fd, 'utf8');
          closeSync(fd);
        } catch (error) {
          what = (error as NodeJS.ErrnoException).code ?? 'unknown';
        }
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }
      // ENOENT: the absolute link, resolved in the root; EXDEV: refused; EAGAIN: the kernel saw too many renames.
      for (const what of seen.keys()) assert.ok(['inside', 'ENOENT', 'EXDEV', 'EAGAIN'].includes(what), what);
      assert.ok((seen.get('inside') ?? 0) > 0 && seen.size > 1, JSON.stringify([...seen]));
    } finally {
      child.kill('SIGKILL');
      await ended;
      rmSync(base, { recursive: true });
    }
  });
}
