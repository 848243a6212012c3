import { stopDaemon } from '../app/daemon.ts';
import { homeAt } from '../app/home.ts';
import { lockHolder } from '../app/instance-lock.ts';
import { messageOf } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';

/** Stops the platform and all it runs, and takes away what a crashed one left. */
export async function run({ environment, talk }: CommandContext): Promise<number> {
  const home = homeAt(environment.LONGSHORE_HOME);
  let stopped = false;
  try {
    stopped = await stopDaemon(home, (name, ms) => talk.say(`  ✓ ${name} ${(ms / 1000).toFixed(2)} s`));
  } catch (error) {
    // It is gone, and all that matters now is what it left.
    if (await lockHolder(home)) throw error;
    talk.say(`  ! ${messageOf(error)}`);
    stopped = true;
  }
  const { cleanInstance } = await import('../app/clean.ts');
  const left = await talk.phase('clean up', () => cleanInstance(home));
  talk.say(stopped ? 'longshore: stopped' : left > 0 ? `longshore: no daemon ran; took away ${left} things that were left` : 'longshore: nothing ran');
  return 0;
}
