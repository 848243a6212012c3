import { KUBERNETES_VERSION, VERSION } from '../app/version.ts';
import { command, OUTPUT } from './command.ts';
import { printData } from './data.ts';

export const cli = command(
  { about: 'Prints the version, and those of the APIs that it speaks.', flags: { output: OUTPUT } },
  async (context, { output }) => {
    await printData(context, output, {
      value: { version: VERSION, kubernetes: KUBERNETES_VERSION, node: process.version },
      names: [VERSION],
      text: `longshore ${VERSION} (Kubernetes API ${KUBERNETES_VERSION}, Node ${process.version})\n`,
    });
    return 0;
  },
);
