/**
 * A second node in a network namespace of its own, which a veth pair leads to: as near to a second machine as one machine gets.
 * The pair's addresses are of a documentation range (RFC 5737), so no real network is touched.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { homeAt, releaseRange, type Home } from '../../src/app/home.ts';
import type { InstanceConfig } from '../../src/app/instance.ts';
import { eventually, runClient } from './platform.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

export interface Link {
  /** The host's end. */
  readonly serverAddress: string;
  /** The namespace's end. */
  readonly nodeAddress: string;
  /** A program and its arguments, to be run in the namespace. */
  inside(...command: string[]): [file: string, args: string[]];
  close(): Promise<void>;
}

async function must(file: string, ...args: string[]): Promise<string> {
  const ran = await runClient(file, args, {});
  assert.equal(ran.code, 0, `${file} ${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

/** Makes a namespace and the link to it. */
export async function openLink(): Promise<Link> {
  const suffix = Math.floor(Math.random() * 0x10000).toString(16).padStart(4, '0');
  const [namespace, outer, inner] = [`lst${suffix}`, `lst${suffix}h`, `lst${suffix}n`];
  const first = 4 * Math.floor(Math.random() * 64); // one of the 64 networks of four addresses
  const [serverAddress, nodeAddress] = [`198.51.100.${first + 1}`, `198.51.100.${first + 2}`];
  const inNamespace = (...args: string[]): Promise<string> => must('ip', '-n', namespace, ...args);
  await must('ip', 'netns', 'add', namespace);
  try {
    await must('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', namespace);
    await must('ip', 'addr', 'add', `${serverAddress}/30`, 'dev', outer);
    await must('ip', 'link', 'set', outer, 'up');
    await inNamespace('link', 'set', 'lo', 'up');
    await inNamespace('addr', 'add', `${nodeAddress}/30`, 'dev', inner);
    await inNamespace('link', 'set', inner, 'up');
    await inNamespace('route', 'add', 'default', 'via', serverAddress);
  } catch (error) {
    await must('ip', 'netns', 'del', namespace);
    throw error;
  }
  return {
    serverAddress, nodeAddress,
    // `ip netns exec` mounts a sysfs of its own over /sys, without control groups.
    inside: (...command) => ['nsenter', [`--net=/run/netns/${namespace}`, '--', ...command]],
    async close() {
      await must('ip', 'netns', 'del', namespace); // the pair goes with it
    },
  };
}

export interface SecondNode {
  readonly home: Home;
  readonly config: InstanceConfig;
  log(): string;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again, with no token. */
  restart(): Promise<void>;
  /** Ends the agent, takes everything away by `longshore down` in the namespace, and fails when anything is left there. */
  close(): Promise<void>;
}

/** `longshore agent` in the namespace, with a token of the server's. */
export async function joinNode({
  name,
  link,
  server,
}: {
  readonly name: string;
  readonly link: Link;
  readonly server: { readonly home: Home; readonly config: InstanceConfig };
}): Promise<SecondNode> {
  const made = await runClient(process.execPath, [MAIN, 'token', '-o', 'json'], { LONGSHORE_HOME: server.home.root });
  assert.equal(made.code, 0, made.stderr);
  const { token, caHash } = JSON.parse(made.stdout) as { token: string; caHash: string };
  const home = homeAt(await mkdtemp('/tmp/lsk-'));
  const environment = { LONGSHORE_HOME: home.root };
  let log = '';
  let child: ChildProcess;
  const start = async (...words: string[]): Promise<void> => {
    const [file, args] = link.inside(process.execPath, MAIN, 'agent', '--foreground', ...words, '--name', name, '--address', link.nodeAddress);
    log = '';
    // nsenter becomes the program that it is given, so the pid is the agent's.
    const mine = spawn(file, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'pipe'] });
    child = mine;
    mine.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (process.env.LONGSHORE_TEST_LOG) process.stderr.write(text);
    });
    await eventually('the agent is up', () => {
      if (mine.exitCode !== null) throw new Error(`it ended: ${log}`);
      return log.includes('the node is up');
    });
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  try {
    await start('--server', `https://${link.serverAddress}:${server.config.apiPort}`, '--token', token, '--ca-hash', caHash);
  } catch (error) {
    await kill();
    const [file, args] = link.inside(process.execPath, MAIN, 'down');
    await runClient(file, args, environment);
    await releaseRange(home);
    await rm(home.root, { recursive: true, force: true });
    throw error;
  }
  const config = JSON.parse(await readFile(home.configFile, 'utf8')) as InstanceConfig;
  return {
    home, config, log: () => log, kill,
    restart: () => start(),
    async close() {
      await kill();
      const run = async (...command: string[]): Promise<string> => {
        const [file, args] = link.inside(...command);
        const ran = await runClient(file, args, environment);
        assert.equal(ran.code, 0, `${command.join(' ')}: ${ran.stderr}`);
        return ran.stdout;
      };
      await run(process.execPath, MAIN, 'down');
      const left = {
        links: (JSON.parse(await run('ip', '-j', 'link')) as { ifname: string }[])
          .map(({ ifname }) => ifname)
          .filter((link) => link.startsWith(`ls${config.id.slice(0, 4)}`)),
        tables: (await run('nft', 'list', 'tables')).split('\n').filter((line) => line.includes(config.id)),
        mounts: (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter((line) => line.includes(home.root)),
        processes: await processesOf(home.root),
      };
      await releaseRange(home);
      await rm(home.root, { recursive: true, force: true });
      assert.deepEqual(left, { links: [], tables: [], mounts: [], processes: [] });
    },
  };
}

async function processesOf(folder: string): Promise<string[]> {
  const { stdout } = await runClient('ps', ['-eo', 'pid,args'], {});
  return stdout.split('\n').filter((line) => line.includes(`${folder}/`));
}
