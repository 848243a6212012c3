import { hostname } from 'node:os';
import { command, UsageError } from './command.ts';
import { requireRoot } from './instance.ts';
import { JOIN_FLAGS, joinOptionsOf } from './join-flags.ts';

export const cli = command(
  {
    about:
      'Makes this machine a node of a cluster: gets a certificate of its own with the token that "longshore token" printed on the server. "longshore agent" then runs the node, and needs no token.',
    flags: JOIN_FLAGS,
  },
  async ({ home, talk }, values) => {
    const options = joinOptionsOf(values);
    if (!options) {
      throw new UsageError('joining needs --server, --token and --ca-hash', 'Copy the line that "longshore token" prints on the server.');
    }
    requireRoot(`the node's key is kept in ${home.root}`, 'longshore join …');
    const { joinedName, nodeCredentials } = await import('../app/join.ts');
    const before = await joinedName(home.pki);
    if (before !== undefined) {
      talk.say(
        `longshore: this machine has joined already, as the node ${before}. To run it: longshore agent. To join another cluster: longshore uninstall --yes`,
      );
      return 0;
    }
    const name = (values.name ?? hostname()).toLowerCase();
    await talk.phase(`join ${options.server} as ${name}`, () => nodeCredentials(home.pki, name, options));
    talk.say('longshore: to run the node: longshore agent');
    return 0;
  },
);
