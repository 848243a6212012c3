import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePorts } from '../../tools/record/processes.ts';
import { peerPrograms } from '../../tools/peers/folder.ts';
import { writeBigImage } from '../lib/big-image.ts';
import { docker } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';
import { prepared, type DockerSide } from '../lib/side.ts';
import type { Stage } from '../lib/stage.ts';

interface Moves {
  readonly load: number;
  readonly push: number;
  readonly pull: number;
}

/** Loads, pushes and pulls the same image through a registry that is a program of neither side. */
async function moves(side: DockerSide, stage: Stage): Promise<Moves> {
  return await prepared(side, 'big image', async () => {
    const archive = await stage.once('big image', async () => await writeBigImage(await stage.folder()));
    const address = await startRegistry(side, stage);
    const name = `${address}/bench/big:latest`;
    const load = await docker(side, ['load', '-i', archive]);
    await docker(side, ['tag', 'bench-big:latest', name]);
    const push = await docker(side, ['push', '-q', name]);
    await docker(side, ['rmi', name, 'bench-big:latest']);
    const pull = await docker(side, ['pull', '-q', name]);
    await docker(side, ['rmi', name]);
    return { load: load.seconds, push: push.seconds, pull: pull.seconds };
  });
}

/** crane's registry on the engine's loopback, with its blobs in a folder. */
async function startRegistry(side: DockerSide, stage: Stage): Promise<string> {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  // env runs what follows, whether a program goes before it or not.
  const args = [...side.enter, join(peerPrograms(), 'crane'), 'registry', 'serve', '--address', address, '--disk', await stage.folder()];
  const child = spawn('env', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  stage.onEnd(async () => void child.kill());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once('error', reject);
  child.stderr.on('data', (chunk: Buffer) => {
    if (chunk.includes('serving')) resolve();
  });
  child.once('exit', (code) => reject(new Error(`the registry ended with ${code}`)));
  await promise;
  return address;
}

export const rows = [
  dockerRow({
    name: 'load',
    what: 'load of a 241 MB image',
    unit: 's',
    budget: ratio(0.7),
    recorded: 2.9,
    measure: async (side, stage) => ({ value: (await moves(side, stage)).load }),
  }),
  dockerRow({
    name: 'pull',
    what: 'pull of it from a registry on loopback',
    unit: 's',
    budget: ratio(0.7),
    recorded: 3.2,
    measure: async (side, stage) => ({ value: (await moves(side, stage)).pull }),
  }),
  dockerRow({
    name: 'push',
    what: 'push of it to a registry on loopback',
    unit: 's',
    budget: ratio(0.7),
    recorded: 9.3,
    measure: async (side, stage) => ({ value: (await moves(side, stage)).push }),
  }),
];
