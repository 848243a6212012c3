import { rm } from 'node:fs/promises';
import { releaseRange } from '../app/home.ts';
import { LongshoreError } from '../lib/errors.ts';
import { command } from './command.ts';
import { down } from './down.ts';
import { requireRoot } from './instance.ts';

export const cli = command(
  {
    about:
      'Stops the instance and removes its folder with images, volumes and state, and the contexts that "longshore env --merge" made. Asks before, or wants --yes, since nothing brings them back.',
    flags: { yes: { type: 'boolean', short: 'y', describe: 'do not ask' } },
  },
  async ({ ask, home, talk }, { yes }) => {
    requireRoot('this ends containers and removes root-owned files', 'longshore uninstall');
    const loss = `this removes ${home.root} with all images, volumes and state`;
    if (!yes && !(await ask?.(`longshore: ${loss}. Go on?`))) {
      throw new LongshoreError('invalid', loss, { remedy: 'If you mean it: longshore uninstall --yes' });
    }
    await down(home, talk);
    const { removeMerged } = await import('../app/contexts.ts');
    for (const what of await removeMerged(home)) talk.say(`  ✓ took ${what} away`);
    await releaseRange(home);
    await talk.phase(`remove ${home.root}`, () => rm(home.root, { recursive: true, force: true }));
    return 0;
  },
);
