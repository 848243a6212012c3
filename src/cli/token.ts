import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { homeAt, type InstanceConfig } from '../app/home.ts';
import { createJoinToken } from '../app/join.ts';
import { connect } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import type { CommandContext } from './command.ts';

/** Makes a bootstrap token (24 hours) and prints the command with which another machine joins. */
export async function run({ args, environment, print, talk }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { output: { type: 'string', short: 'o' } } });
  const home = homeAt(environment.LONGSHORE_HOME);
  const config = await loadKubeconfig(home.kubeconfig);
  const { listen, nodeAddress, apiPort } = JSON.parse(await readFile(home.configFile, 'utf8')) as InstanceConfig;
  const server = listen === undefined ? config.server : `https://${listen === '0.0.0.0' ? nodeAddress : listen}:${apiPort}`;
  const transport = connect(config);
  try {
    const { token, caHash } = await createJoinToken(transport, config);
    if (values.output === 'json') print(JSON.stringify({ token, caHash, server }) + '\n');
    else print(`longshore agent --server ${server} --token ${token} --ca-hash ${caHash}\n`);
    if (listen === undefined) talk.say('longshore: this API server listens on loopback alone; start it with "longshore up --listen ADDRESS" so that other machines can join.');
    return 0;
  } finally {
    transport.close?.();
  }
}
