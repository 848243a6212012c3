import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDockerPeer as startRecorded } from '../../tools/record/docker-peer.ts';
import { processesNaming } from './memory.ts';
import type { DockerSide } from './side.ts';

/** The real dockerd as a side: in network and mount namespaces of its own. */
export async function startDockerPeer(programs: string): Promise<DockerSide & AsyncDisposable> {
  const peer = await startRecorded(programs);
  const pid = (await readFile(join(peer.folder, 'pid'), 'utf8')).trim();
  return {
    name: 'peer', env: { DOCKER_HOST: `unix://${peer.endpoint.socketPath}` }, enter: ['nsenter', '-t', pid, '-n'], prepared: new Map(),
    pids: () => processesNaming(peer.folder),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}
