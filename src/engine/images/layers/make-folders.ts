import { closeSync, constants, fchmodSync, fchownSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { openInRootSync, O_PATH } from '../../../host/beneath.ts';
import { mkdirAt } from '../../../host/fs.ts';
import { isErrno } from '../../../lib/errors.ts';

/**
 * Makes a folder and those above it beneath `root`, following no symlink; `like` tells whose mode and
 * owner a new one takes. The caller closes the descriptor (O_PATH).
 */
export function makeFoldersInRootSync(root: string, path: string, like: (path: string) => Stats | undefined): number {
  let at = openInRootSync(root, '.', O_PATH | constants.O_DIRECTORY);
  let done = '';
  for (const name of path.split('/')) {
    if (name === '') continue;
    done = done === '' ? name : `${done}/${name}`;
    try {
      let made = true;
      try {
        mkdirAt(at, name, 0o755);
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
        made = false;
      }
      const next = openInRootSync(at, name, constants.O_RDONLY | constants.O_DIRECTORY, { follow: 'none' });
      const model = made ? like(done) : undefined;
      if (model) {
        fchownSync(next, model.uid, model.gid);
        fchmodSync(next, model.mode & 0o7777);
      }
      closeSync(at);
      at = next;
    } catch (error) {
      closeSync(at);
      throw error;
    }
  }
  return at;
}
