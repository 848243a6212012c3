import { LongshoreError, isErrno } from '../../lib/errors.ts';
import type { Entry } from './entry.ts';

/** What a path that leads nowhere in the container is called to the user; other errors as they are. @param called the container, as the user named it */
export function noSuchPath(entry: Pick<Entry, 'name'>, called: string, path: string, error: unknown): unknown {
  const object = `container ${entry.name}`;
  if (isErrno(error, 'ENOTDIR') && path.endsWith('/')) {
    return new LongshoreError('invalid', `${path}: not a directory`, { object, remedy: 'Leave out the slash at its end.', cause: error });
  }
  if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP') || isErrno(error, 'EXDEV')) {
    return new LongshoreError('not-found', `Could not find the file ${path} in container ${called}`, { object, cause: error });
  }
  return error;
}
