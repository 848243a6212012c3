import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';

/**
 * How a process that is to serve is launched: the settings that Node and glibc read before the first line of a program runs. The daemon that
 * `up` starts in the background and the one in the foreground both get them from here.
 */

/**
 * Settings of glibc's malloc: what threads of the pool and workers of unpacking free goes back to the system. Together about 10 MiB of a
 * platform that idles.
 */
const MALLOC: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' };
/** MiB of each half of V8's young generation: what bursts make it grow to stays with it. */
const FLAGS: readonly string[] = ['--max-semi-space-size=8'];
/** Says that a process was launched this way. */
const LAUNCHED = 'LONGSHORE_LAUNCHED';

type Environment = Readonly<Record<string, string | undefined>>;

export interface Launch {
  /** Node's flags and then the program's own words. */
  readonly args: readonly string[];
  readonly environment: Environment;
}

/** What to start `words` with, which are a script and its arguments. What the caller's environment or flags set already stays as they set it. */
export function launchOf(words: readonly string[], environment: Environment, flags: readonly string[]): Launch {
  const named = new Set(flags.map((flag) => flag.split('=')[0]));
  return { args: [...FLAGS.filter((flag) => !named.has(flag.split('=')[0])), ...flags, ...words], environment: { ...MALLOC, ...environment, [LAUNCHED]: '1' } };
}

/** What this process needs of one to be replaced; the real `process` fits. */
export interface Replaceable {
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly execPath: string;
  env: Record<string, string | undefined>;
  execve?(file: string, args?: readonly string[], environment?: NodeJS.ProcessEnv): never;
}

/**
 * Replaces this process by one with the settings of a server, under the same pid and with the same terminal, unless it was launched with them.
 * Returns when there is nothing to do, or a Node without execve can't do it: it serves as well, in more memory.
 */
export function relaunchAsServer(self: Replaceable): void {
  if (self.env[LAUNCHED] === '1') {
    // What a server starts is no server.
    delete self.env[LAUNCHED];
    return;
  }
  const { args, environment } = launchOf(self.argv.slice(1), self.env, self.execArgv);
  self.execve?.(self.execPath, [self.execPath, ...args], environment);
}

/**
 * Lets Node keep what it compiled of a bundle beside it, in `cache`: the next start compiles little, which takes 40 ms of processor time
 * and 2 MiB off it. Where it can't be written, all is compiled at each start. Sources that run as they are have no such folder.
 * @param file the module that is the program's entry
 */
export function keepCompiled(file: string): void {
  if (file.endsWith('.mjs')) enableCompileCache(join(file, '../cache'));
}

/** How long after a server is ready what it has compiled is written down, in milliseconds: by then the work of the start is over. */
const COMPILED_MS = 3000;

/** A server does not end soon, so it does not wait for its end to write down what was compiled. Nothing is written when it was there. */
export function writeCompiledSoon(): void {
  setTimeout(flushCompileCache, COMPILED_MS).unref();
}
