import { LongshoreError, isErrno } from '../../lib/errors.ts';
import type { Entry } from './entry.ts';

/** What a path that leads nowhere in the container is called to the user; other errors as they are. */
export function noSuchPath(entry: Entry, path: string, error: unknown): unknown {
  if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP') || isErrno(error, 'EXDEV')) {
    return new LongshoreError('not-found', `Could not find the file ${path} in container ${entry.name}`, { object: `container ${entry.name}`, cause: error });
  }
  return error;
}
