import { readFile } from 'node:fs/promises';
import { isErrno } from '../lib/errors.ts';

/** A process, told apart from a later one of the same number. */
export interface ProcessMark {
  readonly pid: number;
  /** Start time of that process in clock ticks since boot (proc(5), stat field 22): a pid may be given again. */
  readonly startTicks: string;
}

/** Undefined when there is no such process. */
export async function startTicksOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name in parentheses, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
}
