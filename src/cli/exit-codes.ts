import { errorCode } from '../lib/errors.ts';

/** What the command's exit codes say, by name: number and meaning. */
export const EXIT_CODES = {
  done: [0, 'it is done'],
  failed: [1, 'it failed'],
  usage: [2, 'the command line is wrong'],
  absent: [3, 'nothing runs here, or what was named does not exist'],
  forbidden: [4, 'it is not permitted: most commands want root'],
  late: [5, 'it did not come about in time'],
  interrupted: [130, 'it was interrupted'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

/** By the code of the error that ended a command. */
export function exitCodeOf(error: unknown): number {
  switch (errorCode(error)) {
    case 'not-found': return EXIT_CODES.absent[0];
    case 'forbidden': case 'unauthorized': return EXIT_CODES.forbidden[0];
    case 'timeout': return EXIT_CODES.late[0];
    default: return EXIT_CODES.failed[0];
  }
}
