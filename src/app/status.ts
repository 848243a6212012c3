import { readFile, rename, writeFile } from 'node:fs/promises';
import { isErrno, LongshoreError, messageOf } from '../lib/errors.ts';
import type { Home } from './home.ts';
import { lockHolder } from './instance-lock.ts';
import { startTicksOf, type ProcessMark } from './process-mark.ts';

/** What a running daemon says of itself; written when it is ready, removed when it stops. */
export interface DaemonStatus extends ProcessMark {
  readonly version: string;
  readonly instance: string;
  readonly home: string;
  readonly docker: string;
  /** Address of the Kubernetes API: this daemon's own, or that of the cluster to which its node belongs. */
  readonly api: string;
  /** Of the administrator; undefined where a node runs alone. */
  readonly kubeconfig: string | undefined;
  /** The node's name where a node runs alone, without a control plane; undefined for a whole platform. */
  readonly node?: string;
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

/**
 * The status of this home's daemon if that process still lives; undefined otherwise.
 * @throws LongshoreError `internal` when a daemon lives whose status can't be read, `forbidden`
 */
export async function readStatus(home: Home): Promise<DaemonStatus | undefined> {
  let text: string;
  try {
    text = await readFile(home.statusFile, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw new LongshoreError('forbidden', `can't read ${home.statusFile}: ${messageOf(error)}`, {
      object: `home ${home.root}`,
      remedy: 'Run as root, or set LONGSHORE_HOME to a folder of your own.',
      cause: error,
    });
  }
  try {
    const status = JSON.parse(text) as DaemonStatus;
    return (await startTicksOf(status.pid)) === status.startTicks ? status : undefined;
  } catch (error) {
    const holder = await lockHolder(home);
    if (holder === undefined) return undefined; // what a dead daemon left is of no use to anybody
    throw new LongshoreError('internal', `${home.statusFile} is damaged, and the daemon (pid ${holder.pid}) runs: ${messageOf(error)}`, {
      object: `home ${home.root}`,
      remedy: `Stop it, and start it again: kill ${holder.pid}, then longshore up. Containers go on meanwhile.`,
      cause: error,
    });
  }
}
