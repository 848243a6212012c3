import { constants, open } from 'node:fs/promises';
import { isErrno } from '../../lib/errors.ts';

/** Longest side of a terminal that conmon accepts. */
const LARGEST_SIDE = 1000;

/** Sets a terminal's size through the supervisor in `folder`. Gone: nothing happens. */
export async function resizeTerminal(folder: string, columns: number, rows: number): Promise<void> {
  await control(folder, `1 ${Math.min(rows, LARGEST_SIDE)} ${Math.min(columns, LARGEST_SIDE)}\n`);
}

/** Makes the supervisor in `folder` open its log file anew, after the old one was renamed. */
export async function reopenLog(folder: string): Promise<void> {
  await control(folder, '2 0 0\n');
}

async function control(folder: string, line: string): Promise<void> {
  let fifo;
  try {
    // Without O_NONBLOCK the open would hang when no supervisor reads any more.
    fifo = await open(`${folder}/ctl`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENXIO') || isErrno(error, 'ENOENT')) return;
    throw error;
  }
  try {
    await fifo.write(line);
  } finally {
    await fifo.close();
  }
}
