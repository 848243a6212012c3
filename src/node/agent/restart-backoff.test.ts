import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CriContainerStatus } from '../cri/cri.ts';
import { RestartBackoff } from './restart-backoff.ts';

const ran = (seconds: number): CriContainerStatus => ({
  id: 'c', metadata: { name: 'app', attempt: 0 }, image: 'i', imageRef: '', imageId: '', createdAt: 0n, labels: {}, annotations: {}, state: 'CONTAINER_EXITED',
  startedAt: 1_000_000_000n, finishedAt: BigInt(1 + seconds) * 1_000_000_000n, exitCode: 1, reason: 'Error', message: '', mounts: [], logPath: '',
});

test('the first restart is at once, later ones wait twice as long each time, and a long run is forgiven', () => {
  const backoff = new RestartBackoff();
  const pod = { metadata: { name: 'p', namespace: 'n', uid: 'u' } };
  assert.equal(backoff.readyAt('app', ran(1)), undefined);
  const messages: string[] = [];
  for (let n = 0; n < 7; n++) {
    backoff.raise('app');
    messages.push(/back-off (\S+) /.exec(backoff.message('app', pod))![1]!);
  }
  assert.deepEqual(messages, ['10s', '20s', '40s', '1m20s', '2m40s', '5m0s', '5m0s']);
  assert.equal(backoff.readyAt('app', ran(1)), 2000 + 300_000);
  assert.equal(backoff.message('app', pod), 'back-off 5m0s restarting failed container=app pod=p_n(u)');
  assert.equal(backoff.readyAt('app', ran(601)), undefined);
  assert.equal(backoff.delayMs('app'), 0);
});
