// What a real kube-apiserver answered to histories of requests, ours answers as well.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readScenarios } from '../../tools/record/golden-files.ts';
import { openOurKube } from './our-kube.ts';
import { explain, replay, review } from './replay.ts';

const [kube, withControllers] = await Promise.all([openOurKube(false), openOurKube(true)]);
after(async () => await Promise.all([kube[Symbol.asyncDispose](), withControllers[Symbol.asyncDispose]()]));

for (const scenario of await readScenarios('kube')) {
  test(scenario.name, async () => {
    const ours = scenario.settings.get('with') === 'controllers' ? withControllers : kube;
    await ours.prepare(scenario);
    const outcome = review(scenario.name, await replay(scenario, ours.player));
    assert.ok(outcome.fresh.length === 0 && outcome.gone.length === 0, explain(outcome));
  });
}
