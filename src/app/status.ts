import { readFile, rename, writeFile } from 'node:fs/promises';
import { isErrno } from '../lib/errors.ts';
import type { Home } from './home.ts';

/** What a running daemon says of itself; written when it is ready, removed when it stops. */
export interface DaemonStatus {
  readonly pid: number;
  /** Start time of that process in clock ticks since boot (proc(5), stat field 22): a pid may be given again. */
  readonly startTicks: string;
  readonly version: string;
  readonly instance: string;
  readonly home: string;
  readonly docker: string;
  readonly api: string;
  readonly kubeconfig: string;
  /** As `localhost:5050`: for clients on this machine, and in names of images; undefined when there is none. */
  readonly registry: string | undefined;
  /** The same registry at an address to which this machine and pods have a route. */
  readonly registryForPods: string | undefined;
  readonly nodeAddress: string;
  readonly startedAt: string;
  /** Milliseconds that each phase of the start took. */
  readonly phases: Readonly<Record<string, number>>;
}

export async function writeStatus(home: Home, status: DaemonStatus): Promise<void> {
  await writeFile(home.statusFile + '.new', JSON.stringify(status, undefined, 2) + '\n');
  await rename(home.statusFile + '.new', home.statusFile);
}

/** The status of this home's daemon if that process still lives; undefined otherwise. */
export async function readStatus(home: Home): Promise<DaemonStatus | undefined> {
  let status: DaemonStatus;
  try {
    status = JSON.parse(await readFile(home.statusFile, 'utf8')) as DaemonStatus;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return (await startTicksOf(status.pid)) === status.startTicks ? status : undefined;
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
