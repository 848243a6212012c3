import { rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { homeAt, releaseRange } from '../app/home.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';
import { run as down } from './down.ts';

/** Stops the instance and removes its folder with images, volumes and state. Asks for --yes, since nothing brings them back. */
export async function run(context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...context.args], options: { yes: { type: 'boolean', short: 'y', default: false } } });
  const home = homeAt(context.environment.LONGSHORE_HOME);
  if (!values.yes) throw new LongshoreError('invalid', `this removes ${home.root} with all images, volumes and state`, { remedy: 'If you mean it: longshore uninstall --yes' });
  await down(context);
  await releaseRange(home);
  await context.talk.phase(`remove ${home.root}`, () => rm(home.root, { recursive: true, force: true }));
  return 0;
}
