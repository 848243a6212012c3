import { readdir, readFile } from 'node:fs/promises';
import { isErrno } from '../../src/lib/errors.ts';

/** Memory of some processes together, in MiB. A page that several share counts in RSS for each, in PSS by its part. */
export interface Memory {
  readonly rss: number;
  readonly pss: number;
}

/** Adds up the memory of processes; one that has ended adds nothing. */
export async function memoryOf(pids: readonly number[]): Promise<Memory> {
  let rss = 0;
  let pss = 0;
  for (const pid of pids) {
    const rollup = await readOrNothing(`/proc/${pid}/smaps_rollup`);
    rss += kilobytes(rollup, 'Rss');
    pss += kilobytes(rollup, 'Pss');
  }
  return { rss: rss / 1024, pss: pss / 1024 };
}

/** Every process on whose command line a text stands, such as the folder of its state. */
export async function processesNaming(text: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    if ((await readOrNothing(`/proc/${name}/cmdline`)).includes(text)) pids.push(Number(name));
  }
  return pids;
}

function kilobytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return '';
    throw error;
  }
}
