import { LongshoreError, isErrno, messageOf } from '../../../lib/errors.ts';

/** The error that a failed call to the file system becomes: `exhausted` for a full disk or quota, else `unavailable`. */
export function diskError(doing: string, path: string, error: unknown): LongshoreError {
  if (error instanceof LongshoreError) return error;
  if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
    return new LongshoreError('exhausted', `cannot ${doing} at ${path}: the disk is full`, {
      object: path,
      remedy: 'Free space there and try again; nothing of this write was kept, and nothing earlier is lost.',
      cause: error,
    });
  }
  return new LongshoreError('unavailable', `cannot ${doing} at ${path}: ${messageOf(error)}`, {
    object: path,
    remedy: 'Check the disk and the permissions of this folder.',
    cause: error,
  });
}
