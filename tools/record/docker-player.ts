import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exchange, type UnixEndpoint } from './exchange.ts';
import { DockerNormaliser } from './normalise-docker.ts';
import type { Player } from './play.ts';
import { formatScenario } from './scenario.ts';

const HEADERS = [
  'content-type',
  'docker-experimental',
  'builder-version',
  'swarm',
  'ostype',
  'location',
  'cache-control',
  'pragma',
  'x-docker-container-path-stat',
];
/** What every answer carries: kept where a scenario asks for it by `headers: all`. */
const EVERYWHERE = new Set(['docker-experimental', 'ostype']);
const APPLETS = ['sh', 'ls', 'cat', 'echo', 'sleep', 'true', 'false', 'id', 'env', 'pwd', 'hostname', 'touch', 'kill'];
const run = promisify(execFile);

/** Plays scenarios on a Docker engine whose state lies in a folder. */
export function dockerPlayer(endpoint: UnixEndpoint, folder: string): Player {
  const places = new Map([[folder, '<root>']]);
  if (hostname().length > 3) places.set(hostname(), '<hostname>');
  return {
    endpoint,
    headers: (scenario) => HEADERS.filter((name) => scenario.settings.get('headers') === 'all' || !EVERYWHERE.has(name)),
    headersOf: () => ({ Host: 'docker', 'User-Agent': 'golden' }),
    normaliser: (scenario) => new DockerNormaliser({
      written: formatScenario({ ...scenario, steps: scenario.steps.map((step) => ({ ...step, answer: undefined })) }), places, now: () => Date.now() / 1000,
    }),
  };
}

/** Imports the machine's static busybox as `busybox:1.0`, the image of all scenarios. */
export async function importBusybox(endpoint: UnixEndpoint): Promise<void> {
  const changes = encodeURIComponent('CMD ["sh"]');
  const answer = await exchange(endpoint, {
    method: 'POST',
    target: `/v1.50/images/create?fromSrc=-&repo=busybox&tag=1.0&changes=${changes}`,
    headers: { Host: 'docker', 'Content-Type': 'application/x-tar' },
    body: await busyboxTar(),
    timeoutMs: 30_000,
  });
  if (answer.status !== 200 || answer.body.includes('"error"')) {
    throw new Error(`importing busybox answered ${answer.status}: ${answer.body.toString()}`);
  }
}

/** A root file system of busybox alone, the same bytes in every run. */
async function busyboxTar(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-busybox-'));
  try {
    for (const name of ['bin', 'tmp', 'etc', 'root']) await mkdir(join(folder, name));
    await copyFile('/bin/busybox', join(folder, 'bin/busybox'));
    for (const applet of APPLETS) await symlink('busybox', join(folder, 'bin', applet));
    const { stdout } = await run(
      'tar',
      ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '-C', folder, '-c', '.'],
      { encoding: 'buffer', maxBuffer: 1 << 26 },
    );
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
