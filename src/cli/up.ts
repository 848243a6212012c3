import { parseArgs } from 'node:util';
import { startDaemon } from '../app/daemon.ts';
import { homeAt } from '../app/home.ts';
import { connect } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';

/** `longshore up [--listen ADDRESS] [DIR…]`: the platform, and what lies in the folders. The API listens on loopback unless ADDRESS says more. */
export async function run({ args, environment, talk, print }: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args], allowPositionals: true,
    options: { namespace: { type: 'string', short: 'n', default: 'default' }, timeout: { type: 'string', default: '120' }, listen: { type: 'string' } },
  });
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new LongshoreError('invalid', `--timeout ${values.timeout} is not a number of seconds`);
  if (process.getuid?.() !== 0) throw new LongshoreError('forbidden', 'Longshore makes namespaces, mounts and networks, which needs root', { remedy: 'Run it as root: sudo longshore up' });
  const home = homeAt(environment.LONGSHORE_HOME);
  // What can't be read is found before anything is started.
  const { readProject } = await import('../app/deploy/project.ts');
  const projects = await Promise.all(positionals.map(readProject));

  const began = performance.now();
  const phases: string[] = [];
  const { started } = await talk.phase('platform', () => startDaemon(home, [process.argv[1]!], values.listen === undefined ? {} : { LONGSHORE_LISTEN: values.listen }, (name, ms) => phases.push(`${name} ${Math.round(ms)} ms`)));
  talk.say(started ? `    ${phases.join(', ')}` : '    it runs already');
  if (projects.length > 0) {
    const [{ deploy }, { dockerAt }, { openHost }] = await Promise.all([import('../app/deploy/deploy.ts'), import('../app/deploy/docker.ts'), import('../app/machine.ts')]);
    const transport = connect(await loadKubeconfig(home.kubeconfig));
    try {
      const { spawn } = await openHost();
      for (const project of projects) {
        talk.say(`${project.name}:`);
        const urls = await deploy(project, { docker: dockerAt(home.dockerSocket), transport, machine: { spawn, node: process.execPath }, namespace: values.namespace, timeoutMs, phase: (name, work) => talk.phase(name, work), say: (line) => talk.say(line) });
        for (const { url } of urls) print(`${url}\n`);
      }
    } finally {
      transport.close?.();
    }
  }
  talk.say(`longshore: up in ${((performance.now() - began) / 1000).toFixed(2)} s. docker and kubectl: eval "$(longshore env)"`);
  return 0;
}
