import { posix } from 'node:path';
import { LongshoreError } from '../../lib/errors.ts';

/** Links of /proc that lead out of a container's root, to whatever descriptor or folder the runtime has open at that moment. */
const MAGIC_LINKS = /^\/proc\/(self|thread-self|\d+)(\/task\/\d+)?\/(fd|cwd|root|exe|map_files|ns)(\/|$)/;

/**
 * Refuses a working directory that leads through /proc's links into the host (as in CVE-2024-21626).
 * @throws `invalid`
 */
export function refuseWorkingDirectory(cwd: string): void {
  if (!cwd.startsWith('/')) {
    throw new LongshoreError('invalid', `the working directory '${cwd}' is invalid, it needs to be an absolute path`);
  }
  // As it stands, too: `fd/8/..` goes through the link before it turns back.
  if (MAGIC_LINKS.test(posix.normalize(cwd)) || MAGIC_LINKS.test(cwd.replace(/\/(\.?\/)+/g, '/'))) {
    throw new LongshoreError('invalid', `the working directory '${cwd}' leads through /proc to files that the host has open`, {
      remedy: 'Use a folder of the container.',
    });
  }
}
