import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatScenario, parseScenario, type Scenario } from './scenario.ts';

const FOLDER = join(import.meta.dirname, '../../test/golden');

/** The golden files of one peer (`kube`, `docker`), by name. */
export async function readScenarios(peer: string): Promise<Scenario[]> {
  const names = (await readdir(join(FOLDER, peer))).filter((name) => name.endsWith('.golden')).sort();
  return await Promise.all(
    names.map(async (file) =>
      parseScenario(`${peer}/${file.slice(0, -'.golden'.length)}`, await readFile(join(FOLDER, peer, file), 'utf8')),
    ),
  );
}

export async function writeScenario(scenario: Scenario): Promise<void> {
  await writeFile(join(FOLDER, `${scenario.name}.golden`), formatScenario(scenario));
}
