// What a real kube-apiserver answered to histories of requests, ours answers as well.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readScenarios } from '../../tools/record/golden-files.ts';
import { openOurKube, type OurKube } from './our-kube.ts';
import { explain, replay, review } from './replay.ts';

const companies = [undefined, 'controllers', 'scheduler'] as const;
const clusters = new Map<string | undefined, OurKube>(await Promise.all(companies.map(async (company) => [company, await openOurKube(company)] as const)));
after(async () => await Promise.all([...clusters.values()].map(async (cluster) => await cluster[Symbol.asyncDispose]())));

for (const scenario of await readScenarios('kube')) {
  test(scenario.name, async () => {
    const ours = clusters.get(scenario.settings.get('with'))!;
    await ours.prepare(scenario);
    const outcome = review(scenario.name, await replay(scenario, ours.player));
    assert.ok(outcome.fresh.length === 0 && outcome.gone.length === 0, explain(outcome));
  });
}
