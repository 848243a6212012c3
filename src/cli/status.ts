import { readStatus } from '../app/status.ts';
import { command, OUTPUT } from './command.ts';
import { printData } from './data.ts';
import { EXIT_CODES } from './exit-codes.ts';

export const cli = command(
  { about: 'Shows what runs, and where it listens. Exit code 0 when the platform runs, 3 when not.', flags: { output: OUTPUT } },
  async (context, { output }) => {
    const { home, talk } = context;
    const status = await readStatus(home);
    if (!status) {
      if (output === undefined || output === 'name') talk.say(`longshore: nothing runs in ${home.root}. Start it with: longshore up`);
      else await printData(context, output, { value: { home: home.root, running: false }, names: [], text: '' });
      return EXIT_CODES.absent[0];
    }
    const whole = status.node === undefined;
    const rows = {
      pid: status.pid,
      version: status.version,
      instance: status.instance,
      docker: status.docker,
      ...(whole ? { kubernetes: status.api, kubeconfig: status.kubeconfig } : { node: status.node, 'of cluster': status.api }),
      ...(whole && {
        registry:
          status.registry === undefined
            ? '- (see: longshore logs)'
            : `${status.registry}${status.registryForPods === undefined ? '' : `, for pods also ${status.registryForPods}`}`,
      }),
      'node address': status.nodeAddress,
      started: status.startedAt,
    };
    await printData(context, output, {
      value: { ...status, running: true },
      names: [status.instance],
      text: Object.entries(rows)
        .map(([name, value]) => `${name.padEnd(13)} ${value}\n`)
        .join(''),
    });
    return EXIT_CODES.done[0];
  },
);
