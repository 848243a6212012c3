import type { ExecContext } from './supervised-exec.ts';
import { startSupervisedExec } from './supervised-exec.ts';
import { startPipedExec } from './piped-exec.ts';
import type { ExecOptions, ExecSession } from './runtime.ts';

/** Runs a process in a running container. @throws as the runtime says, when the program can't be started */
export async function startExec(context: ExecContext, options: ExecOptions): Promise<ExecSession> {
  options.signal?.throwIfAborted();
  return options.terminal || options.background === true ? startSupervisedExec(context, options) : startPipedExec(context, options);
}
