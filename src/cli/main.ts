import { keepCompiled } from '../app/launch.ts';
import { messageOf, LongshoreError } from '../lib/errors.ts';
import { createTalk } from './output.ts';
import type { CommandContext, CommandModule } from './command.ts';

/** Every command, loaded when it is called. */
const COMMANDS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<CommandModule> }>> = {
  up: { summary: 'Start the platform and, for each DIR, build, deploy and wait until it answers', load: () => import('./up.ts') },
  down: { summary: 'Stop the platform and everything it runs; leaves nothing on the host', load: () => import('./down.ts') },
  status: { summary: 'Show what runs, and where it listens', load: () => import('./status.ts') },
  env: { summary: 'Print DOCKER_HOST and KUBECONFIG: eval "$(longshore env)"', load: () => import('./env.ts') },
  why: { summary: 'Explain an object: why a pod is pending, an image is not pulled, a container restarts', load: () => import('./why.ts') },
  doctor: { summary: 'Check this machine and name what to fix', load: () => import('./doctor.ts') },
  logs: { summary: "Show the daemon's log", load: () => import('./logs.ts') },
  server: { summary: 'Run the platform in the foreground', load: () => import('./server.ts') },
  agent: { summary: 'Run a node that joins a cluster', load: () => import('./agent.ts') },
  token: { summary: 'Print a token and command with which a node joins', load: () => import('./token.ts') },
  uninstall: { summary: "Stop the platform and remove the instance's folder", load: () => import('./uninstall.ts') },
  version: { summary: 'Print the version', load: () => import('./version.ts') },
};

/** Exit codes: 0 done, 1 it failed, 2 the command line is wrong. */
async function main(argv: readonly string[]): Promise<number> {
  keepCompiled(import.meta.filename);
  const [name = 'help', ...args] = argv;
  const write = (text: string): void => void process.stderr.write(text);
  const terminal = process.stderr.isTTY === true;
  const talk = createTalk({ write, terminal, color: terminal && !process.env.NO_COLOR, monotonic: () => performance.now() });
  if (name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return 0;
  }
  const command = COMMANDS[name === '--version' ? 'version' : name];
  if (!command) {
    talk.say(`longshore: there is no command "${name}". See: longshore help`);
    return 2;
  }
  const context: CommandContext = { args, talk, environment: process.env, print: (text) => void process.stdout.write(text) };
  try {
    return await (await command.load()).run(context);
  } catch (error) {
    talk.say(`longshore: ${describe(error)}`);
    if (process.env.LONGSHORE_DEBUG && error instanceof Error) talk.say(error.stack ?? '');
    return isUsageError(error) ? 2 : 1;
  }
}

function isUsageError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

function describe(error: unknown): string {
  if (!(error instanceof LongshoreError)) return messageOf(error);
  return [error.object && !error.message.includes(error.object) ? `${error.object}: ${error.message}` : error.message, error.remedy].filter(Boolean).join('\n  → ');
}

function usage(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Longshore: a Docker-compatible engine and a Kubernetes-compatible cluster in one program.\n\nUsage: longshore COMMAND [ARGUMENTS]\n\nCommands:\n${rows.join('\n')}\n\nLONGSHORE_HOME names the instance's folder (default /var/lib/longshore).\n`;
}

// A pipe that its reader closed is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
