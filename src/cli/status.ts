import { parseArgs } from 'node:util';
import { homeAt } from '../app/home.ts';
import { readStatus } from '../app/status.ts';
import type { CommandContext } from './command.ts';

/** Exit code 0 when the platform runs, 1 when not. */
export async function run({ args, environment, print, talk }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { output: { type: 'string', short: 'o' } } });
  const home = homeAt(environment.LONGSHORE_HOME);
  const status = await readStatus(home);
  if (values.output === 'json') {
    print(JSON.stringify(status ?? { home: home.root, running: false }, undefined, 2) + '\n');
    return status ? 0 : 1;
  }
  if (!status) {
    talk.say(`longshore: nothing runs in ${home.root}. Start it with: longshore up`);
    return 1;
  }
  const rows = { pid: status.pid, version: status.version, instance: status.instance, docker: status.docker, kubernetes: status.api, kubeconfig: status.kubeconfig, registry: status.registry ?? '-', 'node address': status.nodeAddress, started: status.startedAt };
  print(Object.entries(rows).map(([name, value]) => `${name.padEnd(13)} ${value}\n`).join(''));
  return 0;
}
