import { access } from 'node:fs/promises';
import type { Home } from '../app/home.ts';
import { readStatus, type DaemonStatus } from '../app/status.ts';
import { isErrno, LongshoreError } from '../lib/errors.ts';

/** The status of the daemon that runs in this home. @throws LongshoreError `not-found` when none does */
export async function runningInstance(home: Home): Promise<DaemonStatus> {
  const status = await readStatus(home);
  if (!status) {
    throw new LongshoreError('not-found', `nothing runs in ${home.root}`, {
      remedy: `Start it with: ${home.root === '/var/lib/longshore' ? '' : `LONGSHORE_HOME=${home.root} `}longshore up`,
    });
  }
  return status;
}

/** @throws LongshoreError `forbidden` unless we are root */
export function requireRoot(what: string, again: string): void {
  if (process.getuid?.() !== 0) {
    throw new LongshoreError('forbidden', `${what}, which needs root`, { remedy: `Run it as root: sudo ${again}` });
  }
}

/** That we may read the credentials of the instance's administrator. @throws LongshoreError `forbidden`, `not-found`, also where a node runs alone */
export async function requireCredentials(home: Home): Promise<void> {
  const { node, api } = await runningInstance(home);
  if (node !== undefined) {
    throw new LongshoreError('not-found', `a node (${node}) runs in ${home.root}, which has no administrator's credentials`, {
      object: `home ${home.root}`,
      remedy: `Run it on the cluster's server, ${api}.`,
    });
  }
  try {
    await access(home.kubeconfig);
  } catch (error) {
    if (isErrno(error, 'EACCES')) {
      throw new LongshoreError('forbidden', `you may not read ${home.kubeconfig}, the credentials of this instance's administrator`, {
        object: home.kubeconfig,
        remedy: 'Run it as root, or ask root for a kubeconfig of your own.',
      });
    }
    throw error;
  }
}
