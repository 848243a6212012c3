import { keepCompiled } from '../app/launch.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { helpOf, UsageError, type CommandContext, type CommandModule } from './command.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';
import { createTalk } from './output.ts';

/** Every command, loaded when it is called. */
const COMMANDS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<{ readonly cli: CommandModule }> }>> = {
  up: { summary: 'Start the platform and, for each DIR, build, deploy and wait until it answers', load: () => import('./up.ts') },
  down: { summary: 'Stop the platform and everything it runs; leaves nothing on the host', load: () => import('./down.ts') },
  status: { summary: 'Show what runs, and where it listens', load: () => import('./status.ts') },
  env: { summary: 'Print DOCKER_HOST and KUBECONFIG: eval "$(longshore env)"; or --merge them into your own files', load: () => import('./env.ts') },
  why: { summary: 'Explain an object: why a pod is pending, an image is not pulled, a container restarts', load: () => import('./why.ts') },
  forward: { summary: 'Lead a port of this machine to a pod, a Service or a Deployment', load: () => import('./forward.ts') },
  df: { summary: 'Show what takes how much of the disk', load: () => import('./df.ts') },
  prune: { summary: 'Remove what nothing uses: containers that ended, images, networks, the build cache', load: () => import('./prune.ts') },
  logs: { summary: "Show the daemon's log", load: () => import('./logs.ts') },
  doctor: { summary: 'Check this machine and name what to fix', load: () => import('./doctor.ts') },
  server: { summary: 'Run the platform in the foreground', load: () => import('./server.ts') },
  token: { summary: 'Print a token and command with which a node joins', load: () => import('./token.ts') },
  join: { summary: 'Make this machine a node of a cluster, with a token', load: () => import('./join.ts') },
  agent: { summary: 'Run a node that has joined a cluster', load: () => import('./agent.ts') },
  uninstall: { summary: "Stop the platform and remove the instance's folder", load: () => import('./uninstall.ts') },
  version: { summary: 'Print the version', load: () => import('./version.ts') },
};

async function main(argv: readonly string[]): Promise<number> {
  keepCompiled(import.meta.filename);
  const write = (text: string): void => void process.stderr.write(text);
  const terminal = process.stderr.isTTY === true;
  const talk = createTalk({ write, terminal, color: terminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb', monotonic: () => performance.now() });
  const asksHelp = argv[0] === 'help' || argv[0] === '--help' || argv[0] === '-h';
  const name = asksHelp ? argv[1] : argv[0];
  const args = argv.slice(asksHelp ? 2 : 1);
  if (name === undefined || name.startsWith('-') && name !== '--version') {
    if (name !== undefined && !asksHelp) {
      talk.say(`longshore: the command comes first, then its flags: longshore COMMAND ${name}`);
      return EXIT_CODES.usage[0];
    }
    process.stdout.write(usage());
    return EXIT_CODES.done[0];
  }
  const entry = COMMANDS[name === '--version' ? 'version' : name];
  if (!entry) {
    const meant = nearest(name, Object.keys(COMMANDS));
    talk.say(`longshore: there is no command "${name}"\n  → ${meant === undefined ? 'See: longshore help' : `Did you mean ${meant}?`}`);
    return EXIT_CODES.usage[0];
  }
  try {
    const { cli } = await entry.load();
    if (asksHelp || wantsHelp(args)) {
      process.stdout.write(helpOf(name, cli.spec));
      return EXIT_CODES.done[0];
    }
    return await cli.run(args, { talk, environment: process.env, print: (text) => void process.stdout.write(text), ask: askOf(), interruption });
  } catch (error) {
    talk.say(`longshore: ${describe(error)}`);
    if (process.env.LONGSHORE_DEBUG && error instanceof Error) talk.say(error.stack ?? '');
    if (!(error instanceof UsageError)) return exitCodeOf(error);
    talk.say(`  → See: longshore ${name} --help`);
    return EXIT_CODES.usage[0];
  }
}

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}

function describe(error: unknown): string {
  if (!(error instanceof LongshoreError)) return messageOf(error);
  return [error.object && !error.message.includes(error.object) ? `${error.object}: ${error.message}` : error.message, error.remedy]
    .filter(Boolean)
    .join('\n  → ');
}

function usage(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  const codes = Object.values(EXIT_CODES).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return `Longshore: a Docker-compatible engine and a Kubernetes-compatible cluster in one program.\n\nUsage: longshore COMMAND [FLAGS] [ARGUMENTS]\n\nCommands:\n${rows.join('\n')}\n\n"longshore COMMAND --help" shows a command's flags. LONGSHORE_HOME names the instance's folder (default\n/var/lib/longshore); its config.yaml holds settings, over which the environment and then flags go.\n\nExit codes:\n${codes.join('\n')}\n`;
}

/** No question without a terminal at both ends. */
function askOf(): CommandContext['ask'] {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) return undefined;
  return async (question) => {
    const { createInterface } = await import('node:readline/promises');
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
    } finally {
      lines.close();
    }
  };
}

/** Until this is called, a signal ends the command at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

// A pipe that its reader closed is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
