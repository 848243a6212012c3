import { parseArgs } from 'node:util';
import { homeAt } from '../app/home.ts';
import { createJoinToken } from '../app/join.ts';
import { connect } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import type { CommandContext } from './command.ts';

/** Makes a bootstrap token (24 hours) and prints the command with which another machine joins. */
export async function run({ args, environment, print, talk }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { output: { type: 'string', short: 'o' } } });
  const config = await loadKubeconfig(homeAt(environment.LONGSHORE_HOME).kubeconfig);
  const transport = connect(config);
  try {
    const { token, caHash } = await createJoinToken(transport, config);
    if (values.output === 'json') print(JSON.stringify({ token, caHash, server: config.server }) + '\n');
    else print(`longshore agent --server ${config.server} --token ${token} --ca-hash ${caHash}\n`);
    if (/\/\/(127\.|localhost|\[::1\])/.test(config.server)) talk.say('longshore: this API server listens on loopback alone; start it with "longshore up --listen ADDRESS" so that other machines can join.');
    return 0;
  } finally {
    transport.close?.();
  }
}
