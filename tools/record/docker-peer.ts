import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchange, type UnixEndpoint } from './exchange.ts';
import { eventually, Processes } from './processes.ts';

export interface DockerPeer extends AsyncDisposable {
  readonly endpoint: UnixEndpoint;
  /** As in `dockerd v2.0.0-beta.24, containerd 2.4.2, runc 1.5.2`. */
  readonly version: string;
  /** Folder in which all of its state lies. */
  readonly folder: string;
}

/**
 * Starts the real dockerd (which starts the real containerd) with its state
 * in a temporary folder, in network and mount namespaces of its own, so that
 * its bridge, its firewall's rules and its mounts go with it.
 * @param programs the folder that holds dockerd, docker-proxy, containerd, its shim and runc
 * @throws Error that names the log of the program that did not start
 */
export async function startDockerPeer(programs: string): Promise<DockerPeer> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-record-'));
  const processes = new Processes(folder);
  const stop = async (): Promise<void> => {
    await processes[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  const socketPath = join(folder, 'docker.sock');
  try {
    // Not the machine's own settings.
    await writeFile(join(folder, 'daemon.json'), '{}');
    const args = [
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--pidfile',
      join(folder, 'pid'),
      '--config-file',
      join(folder, 'daemon.json'),
      '--host',
      `unix://${socketPath}`,
      '--userland-proxy-path',
      join(programs, 'docker-proxy'),
    ];
    // The last program of the shell is dockerd itself, so that a signal reaches it.
    await processes.start(
      'dockerd',
      'unshare',
      [
        '--net',
        '--mount',
        'sh',
        '-c',
        'ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward && exec dockerd "$@"',
        'dockerd',
        ...args,
      ],
      { PATH: `${programs}:${process.env['PATH'] ?? ''}` },
    );
    const endpoint: UnixEndpoint = { kind: 'unix', socketPath };
    const ask = async (target: string) => await exchange(endpoint, { method: 'GET', target, headers: { Host: 'docker' }, body: undefined, timeoutMs: 5000 });
    await eventually(processes, 'dockerd', async () => (await ask('/_ping')).status === 200);
    const { Components } = JSON.parse((await ask('/version')).body.toString()) as {
      Components: { Name: string; Version: string; Details: Record<string, string> }[];
    };
    return {
      endpoint,
      folder,
      version: Components.map(({ Name, Version, Details }) =>
        Name === 'Engine' ? `dockerd ${Details['ModuleVersion']}` : `${Name} ${Version.replace('+unknown', '')}`,
      ).join(', '),
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await processes[Symbol.asyncDispose]();
    throw error;
  }
}
