import { readFile } from 'node:fs/promises';

/** Id of the group `docker`, whose members may use the engine's socket; undefined where there is none. */
export async function dockerGroup(): Promise<number | undefined> {
  const line = (await readFile('/etc/group', 'utf8')).split('\n').find((entry) => entry.startsWith('docker:'));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}
