import { homeAt } from '../app/home.ts';
import type { CommandContext } from './command.ts';

/** Prints shell commands that make docker, kubectl and helm talk to this instance. */
export function run({ environment, print }: CommandContext): Promise<number> {
  const home = homeAt(environment.LONGSHORE_HOME);
  print(`export DOCKER_HOST=${quote(`unix://${home.dockerSocket}`)}\nexport KUBECONFIG=${quote(home.kubeconfig)}\n`);
  return Promise.resolve(0);
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w/:.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
