// What a real kube-apiserver answered to histories of requests, ours answers as well.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readScenarios } from '../../tools/record/golden-files.ts';
import { openOurKube } from './our-kube.ts';
import { explain, replay, review } from './replay.ts';

const kube = await openOurKube();
after(async () => await kube[Symbol.asyncDispose]());

for (const scenario of await readScenarios('kube')) {
  if (scenario.settings.get('with') === 'controllers') continue;
  test(scenario.name, async () => {
    await kube.prepare(scenario);
    const found = await replay(scenario, kube.player);
    const outcome = review(scenario.name, found);
    assert.ok(outcome.fresh.length === 0 && outcome.gone.length === 0, explain(outcome));
  });
}
