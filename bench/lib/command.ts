import { spawn } from 'node:child_process';

/** Milliseconds after which a command of a row has hung. */
const TIMEOUT_MS = 120_000;

export interface Outcome {
  /** Wall time from before the fork until the end of output, in seconds. */
  readonly seconds: number;
  readonly stdout: string;
}

/**
 * Runs a program to its end.
 * @throws Error with what it said, when it ends otherwise than with 0
 */
export async function command(
  program: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string; readonly discard?: boolean } = {},
): Promise<Outcome> {
  const began = performance.now();
  const child = spawn(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', options.discard === true ? 'ignore' : 'pipe', 'pipe'],
    env: { ...process.env, ...options.env }, timeout: TIMEOUT_MS,
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin?.end(options.input);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject).once('close', resolve);
  const code = await promise;
  const seconds = (performance.now() - began) / 1000;
  const said = Buffer.concat(stderr).toString();
  if (code !== 0) {
    throw new Error(
      `${program} ${args.slice(0, 6).join(' ')} ended with ${code}: ${said.slice(-600)}${Buffer.concat(stdout).toString().slice(-300)}`,
    );
  }
  return { seconds, stdout: Buffer.concat(stdout).toString() };
}

/** The docker command against one side. */
export async function docker(
  side: { readonly env: Readonly<Record<string, string>> },
  args: readonly string[],
  options: { readonly discard?: boolean } = {},
): Promise<Outcome> {
  return await command('docker', args, { env: side.env, ...options });
}

/** kubectl against one side. */
export async function kubectl(side: { readonly kubeconfig: string }, args: readonly string[], input?: string): Promise<Outcome> {
  return await command('kubectl', ['--kubeconfig', side.kubeconfig, ...args], input === undefined ? {} : { input });
}
