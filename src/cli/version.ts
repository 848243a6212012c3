import { KUBERNETES_VERSION, VERSION } from '../app/version.ts';
import type { CommandContext } from './command.ts';

export function run({ print }: CommandContext): Promise<number> {
  print(`longshore ${VERSION} (Kubernetes API ${KUBERNETES_VERSION}, Node ${process.version})\n`);
  return Promise.resolve(0);
}
