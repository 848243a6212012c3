/**
 * `node test/golden/differences.ts [SCENARIO]`: where our answers are not the
 * recorded ones and the list does not say so yet, and which entries of the
 * list are no differences any more.
 * `--prune` takes the latter off the list; `--add WHY` puts the former on it
 * (review what it adds: each is a thing that a client can see), with `--match
 * REGEXP` only those whose entry matches.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readScenarios } from '../../tools/record/golden-files.ts';
import type { Player } from '../../tools/record/play.ts';
import type { Scenario } from '../../tools/record/scenario.ts';
import { openOurDocker } from './our-docker.ts';
import { openOurKube } from './our-kube.ts';
import { entryOf, explain, replay, review } from './replay.ts';

/** How often one thing has to differ until the list names what holds it (a list, for its elements), or any step. */
const OFTEN = 3;
/** What is never named for any step: it differs for another reason each time. */
const PARTICULAR = /^(status$|headers|body$|body\.(message|details|code|reason))|managedFields|items|rows|resourceVersion|generation|conditions$/;
const listOf = (peer: string): string => join(import.meta.dirname, `known-differences-${peer}.ts`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { prune: { type: 'boolean', default: false }, add: { type: 'string' }, match: { type: 'string', default: '' } },
});

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
/** Fewer entries for the same: a list for three of its elements, any step for three. */
function summed(entries: readonly string[]): string[] {
  const lists = regrouped(
    entries,
    (entry) => entry.replace(/^((?:.*?) \| (?:.*?) \| .*?)\[\d+\].*$/, '$1'),
    (entry) => PARTICULAR.test(entry.split(' | ')[2]!),
  );
  return regrouped(
    lists,
    (entry) => entry.replace(/ \| .*? \| /, ' | * | '),
    (entry) => PARTICULAR.test(entry.split(' | ')[2]!),
  );
}

function regrouped(entries: readonly string[], wider: (entry: string) => string, never: (wide: string) => boolean): string[] {
  const groups = Map.groupBy(entries, wider);
  return [...groups].flatMap(([wide, group]) => (group.length >= OFTEN && !never(wide) ? [wide] : group));
}

const fresh: string[] = [];
const gone: string[] = [];

const isWanted = ({ name }: Scenario): boolean => name.includes(positionals[0] ?? '');
const kubeScenarios = (await readScenarios('kube')).filter(isWanted);
const dockerScenarios = (await readScenarios('docker')).filter(isWanted);
for (const company of [undefined, 'controllers', 'scheduler'] as const) {
  const scenarios = kubeScenarios.filter(({ settings }) => settings.get('with') === company);
  if (scenarios.length === 0) continue;
  await using cluster = await openOurKube(company);
  for (const scenario of scenarios) {
    await cluster.prepare(scenario);
    await look(scenario, cluster.player);
  }
}
if (dockerScenarios.length > 0) {
  await using docker = await openOurDocker();
  for (const scenario of dockerScenarios) await look(scenario, docker.player);
}

async function look(scenario: Scenario, player: Player): Promise<void> {
  const outcome = review(scenario.name, await replay(scenario, player));
  fresh.push(...outcome.fresh.map(entryOf));
  gone.push(...outcome.gone);
  process.stdout.write(
    `# ${scenario.name}: ${outcome.fresh.length} not in the list, ${outcome.gone.length} to be taken off it\n${explain(outcome)}${outcome.fresh.length + outcome.gone.length > 0 ? '\n' : ''}`,
  );
}

for (const peer of ['kube', 'docker']) {
  let list = await readFile(listOf(peer), 'utf8');
  if (values.prune) {
    for (const entry of gone) list = list.replace(`      ${quoted(entry)},\n`, '');
    list = list.replaceAll(/ {2}\{\n {4}why: .*\n {4}at: \[\n {4}\],\n {2}\},\n/g, '');
  }
  const added = summed(fresh.filter((entry) => entry.startsWith(`${peer}/`) && new RegExp(values.match).test(entry)));
  if (values.add !== undefined && added.length > 0) {
    list = list.replace(
      /\];\n$/,
      `  {\n    why: ${quoted(values.add)},\n    at: [\n${added.map((entry) => `      ${quoted(entry)},\n`).join('')}    ],\n  },\n];\n`,
    );
  }
  await writeFile(listOf(peer), list);
}
