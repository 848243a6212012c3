import { startDaemon } from '../app/daemon.ts';
import { readSettings, settingsEnvironment } from '../app/settings.ts';
import { connect } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { command, NAMESPACE, UsageError } from './command.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { requireRoot } from './instance.ts';
import { SETTINGS_FLAGS } from './settings-flags.ts';

export const cli = command(
  {
    about:
      'Starts the platform in the background, if it does not run, and deploys what lies in each DIR: builds its Dockerfiles, applies its manifests (or, with Dockerfiles alone, a Deployment and a Service made of each; or gives its compose.yaml to Docker Compose), waits until all of it answers, and prints its addresses. Again after a change, it builds and rolls out what changed.',
    words: '[DIR…]',
    flags: {
      namespace: NAMESPACE,
      timeout: { type: 'string', value: 'SECONDS', describe: 'how long pods and Services may take to answer (default 120)' },
      ...SETTINGS_FLAGS,
    },
  },
  async ({ environment, home, interruption, print, talk }, values, words) => {
    const { namespace, timeout = '120' } = values as { readonly namespace?: string; readonly timeout?: string };
    const timeoutMs = Number(timeout) * 1000;
    if (!(timeoutMs > 0)) throw new UsageError(`--timeout ${timeout} is not a number of seconds`);
    requireRoot('Longshore makes namespaces, mounts and networks', 'longshore up');
    const flags = settingsEnvironment(values);
    await readSettings(home, { ...environment, ...flags });
    // What can't be read is found before anything is started.
    const { readProject } = await import('../app/deploy/project.ts');
    const projects = await Promise.all(words.map(readProject));

    const began = performance.now();
    const phases: string[] = [];
    const { started } = await talk.phase('platform', () =>
      startDaemon(home, [process.argv[1]!], flags, (name, ms) => phases.push(`${name} ${Math.round(ms)} ms`)),
    );
    talk.say(started ? `    ${phases.join(', ')}` : '    it runs already');
    if (!started && Object.keys(flags).length > 0) {
      talk.say('  ! it keeps the settings with which it was started; for new ones: longshore down, then up');
    }
    if (projects.length > 0) {
      const [{ deploy }, { dockerAt }, { openHost }] = await Promise.all([
        import('../app/deploy/deploy.ts'),
        import('../app/deploy/docker.ts'),
        import('../app/machine.ts'),
      ]);
      const transport = connect(await loadKubeconfig(home.kubeconfig));
      try {
        const { spawn } = await openHost();
        const signal = projects.some(({ compose }) => compose !== undefined) ? interruption() : new AbortController().signal;
        // Once the programs have been told. Without compose, a signal ends this one at once by itself.
        signal.addEventListener('abort', () => setImmediate(() => process.exit(EXIT_CODES.interrupted[0])));
        for (const project of projects) {
          talk.say(`${project.name}:`);
          const urls = await deploy(project, {
            docker: dockerAt(home.dockerSocket),
            dockerSocket: home.dockerSocket,
            transport,
            machine: { spawn, node: process.execPath },
            namespace: namespace ?? 'default',
            timeoutMs,
            phase: (name, work) => talk.phase(name, work),
            say: (line) => talk.say(line),
            signal,
            environment,
          });
          for (const { url } of urls) print(`${url}\n`);
        }
      } finally {
        transport.close?.();
      }
    }
    talk.say(`longshore: up in ${((performance.now() - began) / 1000).toFixed(2)} s. docker and kubectl: eval "$(longshore env)"`);
    return 0;
  },
);
