import { hostname } from 'node:os';
import { homeAt } from '../app/home.ts';
import { relaunchAsServer } from '../app/launch.ts';
import type { CommandContext } from './command.ts';

/** Runs the platform in the foreground until a signal. SIGTERM and SIGINT stop the daemon and leave containers running; `longshore down` stops them too. */
export async function run({ environment }: CommandContext): Promise<number> {
  relaunchAsServer(process);
  const { serve } = await import('../app/serve.ts');
  await serve(homeAt(environment.LONGSHORE_HOME), hostname().toLowerCase(), environment);
  return 0;
}
