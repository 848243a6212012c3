import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command, type Outcome } from './command.ts';
import { processesNaming } from './memory.ts';
import { program } from './program.ts';

/** An instance of Longshore in a folder, worked through its own command. */
export class Instance {
  readonly home: string;
  readonly dockerHost: string;
  readonly kubeconfig: string;

  constructor(folder: string) {
    this.home = join(folder, 'home');
    this.dockerHost = `unix://${this.home}/run/docker.sock`;
    this.kubeconfig = join(this.home, 'kubeconfig');
  }

  /** Runs the longshore command for this instance. */
  async longshore(...args: string[]): Promise<Outcome> {
    return await command(process.execPath, [await program(), ...args], { env: { LONGSHORE_HOME: this.home } });
  }

  /** Starts it; the time is that until docker and kubectl are served. */
  async up(): Promise<Outcome> {
    return await this.longshore('up');
  }

  async down(): Promise<Outcome> {
    return await this.longshore('down');
  }

  async uninstall(): Promise<void> {
    await this.longshore('uninstall', '--yes');
  }

  async #status(): Promise<{ readonly pid: number; readonly api: string }> {
    return JSON.parse(await readFile(join(this.home, 'run/status.json'), 'utf8')) as { pid: number; api: string };
  }

  async apiUrl(): Promise<string> {
    return (await this.#status()).api;
  }

  async daemonPid(): Promise<number> {
    return (await this.#status()).pid;
  }

  /** The daemon and the supervisors of its containers. */
  async pids(): Promise<number[]> {
    return [...new Set([await this.daemonPid(), ...(await processesNaming(this.home))])];
  }
}
