import { parseArgs } from 'node:util';
import { homeAt } from '../app/home.ts';
import { readStatus } from '../app/status.ts';
import { connect, logTail, whyPod } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';

const LOG_LINES = 10;

/** `longshore why pod/NAME [-n NAMESPACE]`. */
export async function run({ args, environment, print }: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { namespace: { type: 'string', short: 'n' }, output: { type: 'string', short: 'o' } } });
  const [kind = '', name = ''] = positionals.length === 2 ? positionals : (positionals[0] ?? '').split('/', 2);
  if (!['pod', 'pods', 'po'].includes(kind) || name === '') throw new LongshoreError('invalid', `"${positionals.join(' ')}" is nothing that why can explain`, { remedy: 'Name a pod: longshore why pod/NAME [-n NAMESPACE]' });
  const home = homeAt(environment.LONGSHORE_HOME);
  if (!(await readStatus(home))) throw new LongshoreError('unavailable', `nothing runs in ${home.root}`, { remedy: 'Start it with longshore up, or set LONGSHORE_HOME to the instance that you mean.' });
  const config = await loadKubeconfig(home.kubeconfig);
  const transport = connect(config);
  try {
    const explanation = await whyPod(transport, values.namespace ?? config.namespace ?? 'default', name, logTail(config, LOG_LINES));
    if (values.output === 'json') print(JSON.stringify(explanation, undefined, 2) + '\n');
    else print([explanation.summary, ...explanation.details.map((line) => `  ${line}`), ...(explanation.remedy ? [`→ ${explanation.remedy}`] : [])].join('\n') + '\n');
    return 0;
  } finally {
    transport.close?.();
  }
}
