import { hostname } from 'node:os';
import { relaunchAsServer } from '../app/launch.ts';
import { command } from './command.ts';
import { requireRoot } from './instance.ts';
import { JOIN_FLAGS, joinOptionsOf } from './join-flags.ts';

export const cli = command({
  about: 'Runs a node in the foreground: joins with a token the first time (as "longshore join" does), and with its own certificate from then on. SIGTERM ends it and its pods go on; "longshore down", after it, ends them and takes away all that it made.',
  flags: {
    ...JOIN_FLAGS,
    address: { type: 'string', value: 'ADDRESS', describe: "this machine's address for the cluster (default: that of its first interface)" },
  },
}, async ({ home }, values) => {
  const join = joinOptionsOf(values);
  requireRoot('a node makes namespaces, mounts and networks', 'longshore agent');
  relaunchAsServer(process);
  const { joinedName } = await import('../app/join.ts');
  const { serveAgent } = await import('../app/serve-agent.ts');
  await serveAgent(home, {
    nodeName: (values.name ?? (await joinedName(home.pki)) ?? hostname()).toLowerCase(),
    ...(values.address !== undefined && { address: values.address }),
    ...(join && { join }),
  });
  return 0;
});
