import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openControlPlane } from '../../src/app/control-plane.ts';
import { createPhaseTimer } from '../../src/app/phases.ts';
import { openMemoryStore } from '../../src/control-plane/store/memory-store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Scenario } from './scenario.ts';

// What kube-controller-manager made of the same scenario on a real kube-apiserver; see record.ts.
const recorded = JSON.parse(await readFile(join(import.meta.dirname, 'recorded.json'), 'utf8')) as Record<string, unknown>;

test('controllers over our API leave what upstream’s leave', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-controllers-'));
  const controlPlane = await openControlPlane({
    store: await openMemoryStore(),
    pkiFolder: folder,
    address: '127.0.0.1',
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    phases: createPhaseTimer(systemClock, () => {}),
    config: { apiPort: 0, clusterCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/16', nodeAddress: '127.0.0.1', innerAddress: '10.96.0.1' },
  });
  try {
    const findings = await new Scenario(controlPlane.transportFor('admin', ['system:masters', 'system:authenticated'])).run();
    for (const step of Object.keys(recorded)) await t.test(step, () => assert.deepEqual(findings[step], recorded[step]));
    assert.deepEqual(Object.keys(findings), Object.keys(recorded));
  } finally {
    await controlPlane.close();
    await rm(folder, { recursive: true });
  }
});
