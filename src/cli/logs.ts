import { open } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { homeAt } from '../app/home.ts';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';

/** Prints the last lines of the daemon's log (-n, default 100). */
export async function run({ args, environment, print }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { lines: { type: 'string', short: 'n', default: '100' } } });
  const { daemonLog } = homeAt(environment.LONGSHORE_HOME);
  try {
    await using file = await open(daemonLog);
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(size, 1 << 20));
    await file.read(tail, 0, tail.length, size - tail.length);
    print(tail.toString().trimEnd().split('\n').slice(-Number(values.lines)).join('\n') + '\n');
    return 0;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw new LongshoreError('not-found', `there is no log at ${daemonLog}`, { remedy: 'Start the platform with: longshore up' });
    throw error;
  }
}
