import { readStatus } from '../app/status.ts';
import { command, FORMATS, UsageError } from './command.ts';
import { printData } from './data.ts';
import { requireCredentials } from './instance.ts';

export const cli = command(
  {
    about:
      'Prints shell commands that make docker, kubectl and helm talk to this instance: eval "$(longshore env)". With --merge, adds a context to your own kubeconfig and to Docker\'s contexts instead, and changes nothing else there: docker --context longshore ps, kubectl --context longshore get pods. "longshore uninstall" and --unmerge take them away.',
    flags: {
      merge: { type: 'boolean', describe: 'add a context to your kubeconfig and to Docker' },
      unmerge: { type: 'boolean', describe: 'take away what --merge added' },
      context: { type: 'string', value: 'NAME', describe: "the context's name (default longshore)" },
      output: {
        type: 'string',
        short: 'o',
        value: 'FORMAT',
        choices: FORMATS,
        describe: 'print the variables as json or yaml, or their names',
      },
    },
  },
  async (context, { context: name = 'longshore', merge, output, unmerge }) => {
    const { environment, home, talk } = context;
    if (merge && unmerge) throw new UsageError('--merge and --unmerge are opposites');
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/.test(name)) {
      throw new UsageError(`--context ${name} is no name for a context`, 'Use letters, digits, dots and dashes.');
    }
    if (unmerge) {
      const { removeMerged } = await import('../app/contexts.ts');
      const removed = await removeMerged(home);
      talk.say(
        removed.length === 0 ? 'longshore: there was nothing to take away' : removed.map((what) => `  ✓ took ${what} away`).join('\n'),
      );
      return 0;
    }
    if (merge) {
      await requireCredentials(home);
      const { mergeContexts, userFiles } = await import('../app/contexts.ts');
      const files = userFiles(home, environment);
      await mergeContexts(home, files, name);
      talk.say(
        `  ✓ added the context ${name} to ${files.kubeconfig} and to Docker's contexts in ${files.dockerConfig}\n    docker --context ${name} ps; kubectl --context ${name} get pods`,
      );
      return 0;
    }
    const status = await readStatus(home);
    const registry = status?.registry;
    const variables = {
      DOCKER_HOST: `unix://${home.dockerSocket}`,
      ...(status?.node === undefined && { KUBECONFIG: home.kubeconfig }),
      ...(registry !== undefined && { LONGSHORE_REGISTRY: registry }),
    };
    await printData(context, output, {
      value: variables,
      names: Object.keys(variables),
      text: Object.entries(variables)
        .map(([variable, value]) => `export ${variable}=${quote(value)}\n`)
        .join(''),
    });
    return 0;
  },
);

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w/:.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
