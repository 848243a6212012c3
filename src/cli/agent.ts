import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { homeAt } from '../app/home.ts';
import { relaunchAsServer } from '../app/launch.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';

/** Runs a node in the foreground: joins with a token the first time, and with its own certificate from then on. */
export async function run({ args, environment }: CommandContext): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { server: { type: 'string' }, token: { type: 'string' }, 'ca-hash': { type: 'string' }, name: { type: 'string' }, address: { type: 'string' } },
  });
  const home = homeAt(environment.LONGSHORE_HOME);
  if (values.token !== undefined && (values.server === undefined || values['ca-hash'] === undefined)) throw new LongshoreError('invalid', 'joining needs --server, --token and --ca-hash together', { remedy: 'Copy the line that "longshore token" prints on the server.' });
  relaunchAsServer(process);
  const { serveAgent } = await import('../app/serve-agent.ts');
  await serveAgent(home, {
    nodeName: (values.name ?? hostname()).toLowerCase(),
    ...(values.address !== undefined && { address: values.address }),
    ...(values.server !== undefined && values.token !== undefined && { join: { server: values.server, token: values.token, caHash: values['ca-hash']! } }),
  });
  return 0;
}
