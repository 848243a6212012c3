import { isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';

/** What a failed write of a blob means. @returns `exhausted` when the disk is full, else `internal` */
export function writeFailure(cause: unknown): LongshoreError {
  return new LongshoreError(
    isErrno(cause, 'ENOSPC') || isErrno(cause, 'EDQUOT') ? 'exhausted' : 'internal',
    `can't write an image's content: ${messageOf(cause)}`,
    { remedy: 'Free some disk space (docker system prune).', cause },
  );
}
