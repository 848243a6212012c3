import { dockerAt } from '../app/deploy/docker.ts';
import { prune } from '../app/prune.ts';
import { command, OUTPUT, UsageError } from './command.ts';
import { bytes, printData, table } from './data.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { runningInstance } from './instance.ts';

export const cli = command(
  {
    about:
      'Removes containers that ended, networks and images without a name that nothing uses, and old build cache. What pods use stays. Asks before, or wants --yes.',
    flags: {
      all: { type: 'boolean', short: 'a', describe: 'also images with a name that nothing uses, and all of the build cache' },
      volumes: { type: 'boolean', describe: 'also volumes that no container uses, with their data' },
      yes: { type: 'boolean', short: 'y', describe: 'do not ask' },
      output: OUTPUT,
    },
  },
  async (context, { all = false, output, volumes = false, yes }) => {
    const { ask, home, talk } = context;
    await runningInstance(home);
    const loss = `this removes containers that ended, unused networks, ${all ? 'all images that nothing uses, all of the build cache' : 'unnamed images, unused build cache'}${volumes ? ', and VOLUMES that no container uses, with their data' : ''}`;
    if (!yes) {
      if (!ask) throw new UsageError(loss, 'If you mean it: longshore prune --yes');
      if (!(await ask(`longshore: ${loss}. Go on?`))) return EXIT_CODES.failed[0];
    }
    const done = await prune(dockerAt(home.dockerSocket), { all, volumes });
    await printData(context, output, {
      value: done,
      names: done.flatMap(({ names, what }) => names.map((name) => `${what}/${name}`)),
      text: table(
        ['WHAT', 'REMOVED', 'FREED'],
        done.map(({ what, names, bytes: freed }) => [what, String(names.length), bytes(freed)]),
      ),
    });
    talk.say(`longshore: freed ${bytes(done.reduce((sum, { bytes: freed }) => sum + freed, 0))}`);
    return EXIT_CODES.done[0];
  },
);
