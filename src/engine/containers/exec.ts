import type { ExecSession } from '../runtime/runtime.ts';
import { refuseWorkingDirectory } from '../runtime/cwd.ts';
import { LongshoreError } from '../../lib/errors.ts';
import { notRunning } from './context.ts';
import type { Context } from './context.ts';
import type { ContainerExec } from './containers.ts';
import type { Entry } from './entry.ts';
import { resolveUser } from './users.ts';

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a process in a running container, with the container's environment, user and folder unless told otherwise. @throws `conflict` when it isn't running */
export async function execIn(context: Context, entry: Entry, options: ContainerExec): Promise<ExecSession> {
  // The runtime will move the process into the container's group.
  const moved = context.host.cgroups.expectMove?.();
  try {
    return await startExec(context, entry, options);
  } finally {
    moved?.();
  }
}

async function startExec(context: Context, entry: Entry, options: ContainerExec): Promise<ExecSession> {
  const { run } = entry;
  if (entry.state.status === 'paused') {
    throw new LongshoreError('conflict', `Container ${entry.name} is paused, unpause the container before exec`, {
      object: `container ${entry.name}`,
      remedy: `docker unpause ${entry.name}`,
    });
  }
  if (run === undefined) throw notRunning(entry);
  const cwd = options.cwd || entry.spec.process.cwd || '/';
  refuseWorkingDirectory(cwd);
  const { process } = entry.spec;
  const user = options.user
    ? await resolveUser(entry.rootfs, options.user)
    : await resolveUser(entry.rootfs, process.user, process.additionalGids, process.strictGroups);
  const env = new Map<string, string>();
  const own = entry.spec.namespaces?.uts === 'host' ? [] : [`HOSTNAME=${entry.spec.hostname ?? entry.short}`];
  for (const each of [
    DEFAULT_PATH,
    ...own,
    ...(options.terminal ? ['TERM=xterm'] : []),
    ...entry.spec.process.env,
    ...(options.env ?? []),
  ]) {
    env.set(each.split('=', 1)[0]!, each);
  }
  if (!env.has('HOME')) env.set('HOME', `HOME=${user.home}`);
  return run.runtime.exec({
    args: options.args,
    env: [...env.values()],
    cwd,
    user,
    terminal: options.terminal,
    stdin: options.stdin,
    ...(options.background === undefined ? {} : { background: options.background }),
    ...(options.privileged === undefined ? {} : { privileged: options.privileged }),
    ...(options.consoleSize === undefined ? {} : { consoleSize: options.consoleSize }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}
