import { readInstance } from '../app/instance.ts';
import { createJoinToken } from '../app/join.ts';
import { connect } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { LongshoreError } from '../lib/errors.ts';
import { command, OUTPUT } from './command.ts';
import { printData } from './data.ts';
import { requireCredentials } from './instance.ts';

export const cli = command(
  {
    about: 'Makes a token, good for 24 hours, and prints the command with which another machine joins as a node.',
    flags: { output: OUTPUT },
  },
  async (context, { output }) => {
    const { home, talk } = context;
    await requireCredentials(home);
    const config = await loadKubeconfig(home.kubeconfig);
    const instance = await readInstance(home);
    if (!instance)
      throw new LongshoreError('not-found', `there is no instance in ${home.root}`, { remedy: 'Start one with: longshore up' });
    const { listen, nodeAddress, apiPort } = instance;
    const server = listen === undefined ? config.server : `https://${listen === '0.0.0.0' ? nodeAddress : listen}:${apiPort}`;
    const transport = connect(config);
    try {
      const { token, caHash } = await createJoinToken(transport, config);
      await printData(context, output, {
        value: { token, caHash, server },
        names: [token],
        text: `longshore agent --server ${server} --token ${token} --ca-hash ${caHash}\n`,
      });
      if (listen === undefined) {
        talk.say(
          'longshore: this API server listens on loopback alone; start it with "longshore up --listen ADDRESS" so that other machines can join.',
        );
      }
      return 0;
    } finally {
      transport.close?.();
    }
  },
);
