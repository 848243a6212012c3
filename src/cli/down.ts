import { stopDaemon } from '../app/daemon.ts';
import type { Home } from '../app/home.ts';
import { lockHolder } from '../app/instance-lock.ts';
import { messageOf } from '../lib/errors.ts';
import { command } from './command.ts';
import { requireRoot } from './instance.ts';
import type { Talk } from './output.ts';

export const cli = command(
  {
    about:
      'Stops the platform and all it runs, and takes away what a crashed one left on the host. Images, volumes and state stay in its folder.',
    flags: {},
  },
  async ({ home, talk }) => {
    requireRoot('this ends containers and takes networks and mounts away', 'longshore down');
    await down(home, talk);
    return 0;
  },
);

/** Stops an instance and leaves nothing of it on the host. */
export async function down(home: Home, talk: Talk): Promise<void> {
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
}
