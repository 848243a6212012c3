import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const STOP_MS = 10_000;
const START_MS = 60_000;

/** Programs of a recording: their output goes to files of its temporary folder, and all of them end with it. */
export class Processes implements AsyncDisposable {
  readonly #folder: string;
  readonly #running: { readonly name: string; readonly child: ChildProcess }[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a program; its output goes to NAME.log. */
  async start(name: string, program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    await using log = await open(join(this.#folder, `${name}.log`), 'a');
    const child = spawn(program, args, { cwd: this.#folder, stdio: ['ignore', log.fd, log.fd], env: { ...process.env, ...env } });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`${name} cannot be started from ${program}: ${error.message}. Build the peers with tools/peers/build.ts`)));
    await promise;
    this.#running.push({ name, child });
  }

  /** The first that has ended, if one has. */
  ended(): string | undefined {
    const found = this.#running.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
    return found === undefined
      ? undefined
      : `${found.name} has ended with ${found.child.exitCode ?? found.child.signalCode}; see ${join(this.#folder, `${found.name}.log`)}`;
  }

  /** Ends all, the last one first. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      child.once('exit', () => resolve());
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await promise;
      clearTimeout(timer);
    }
  }
}

/** Ports of loopback that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map(async (server) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    return (server.address() as { port: number }).port;
  }));
  for (const server of servers) server.close();
  return ports;
}

/**
 * Asks until the answer is yes.
 * @throws Error when a program has ended, or a minute has passed
 */
export async function eventually(processes: Processes, what: string, check: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    const ok = await check().catch((error: unknown) => {
      if (Date.now() > until) throw error;
      return false; // it does not listen yet
    });
    if (ok) return;
    const ended = processes.ended();
    if (ended !== undefined) throw new Error(ended);
    if (Date.now() > until) throw new Error(`${what} did not get ready within ${START_MS / 1000} s`);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}
