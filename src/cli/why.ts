import { connect, logTail, whyPod } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { command, NAMESPACE, OUTPUT, UsageError } from './command.ts';
import { printData } from './data.ts';
import { requireCredentials } from './instance.ts';

const LOG_LINES = 10;

export const cli = command(
  {
    about:
      'Explains the state of a pod: why it is pending, why its image is not pulled, why a container restarts; and says what to do next.',
    words: 'pod/NAME',
    mostWords: 2,
    flags: { namespace: NAMESPACE, output: OUTPUT },
  },
  async (context, { namespace, output }, words) => {
    const [kind = '', name = ''] = words.length === 2 ? words : (words[0] ?? '').split('/', 2);
    if (!['pod', 'pods', 'po'].includes(kind) || name === '') {
      throw new UsageError(
        words.length === 0 ? 'why what?' : `"${words.join(' ')}" is nothing that why can explain`,
        'Name a pod: longshore why pod/NAME [-n NAMESPACE]',
      );
    }
    await requireCredentials(context.home);
    const config = await loadKubeconfig(context.home.kubeconfig);
    const transport = connect(config);
    try {
      const explanation = await whyPod(transport, namespace ?? config.namespace ?? 'default', name, logTail(config, LOG_LINES));
      await printData(context, output, {
        value: explanation,
        names: [`pod/${name}`],
        text:
          [
            explanation.summary,
            ...explanation.details.map((line) => `  ${line}`),
            ...(explanation.remedy ? [`→ ${explanation.remedy}`] : []),
          ].join('\n') + '\n',
      });
      return 0;
    } finally {
      transport.close?.();
    }
  },
);
