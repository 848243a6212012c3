// What a real dockerd answered to histories of requests, ours answers as well, with real containers.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readScenarios } from '../../tools/record/golden-files.ts';
import { openOurDocker } from './our-docker.ts';
import { explain, replay, review } from './replay.ts';

const docker = await openOurDocker();
after(async () => await docker[Symbol.asyncDispose]());

for (const scenario of await readScenarios('docker')) {
  test(scenario.name, async () => {
    const outcome = review(scenario.name, await replay(scenario, docker.player));
    assert.ok(outcome.fresh.length === 0 && outcome.gone.length === 0, explain(outcome));
  });
}
