import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../lib/log.ts';
import type { KubeObject } from '../types/kubernetes/meta.ts';
import { FakeTransport, status } from './fake-transport.test-helper.ts';
import { LeaderElection } from './leader-election.ts';
import { ManualClock, SeededRandom, settle } from './manual-clock.test-helper.ts';
import { leases } from './resources.ts';

function setUp() {
  const clock = new ManualClock();
  const random = new SeededRandom(3);
  const transport = new FakeTransport({ clock, random });
  const log: string[] = [];
  const candidate = (identity: string, over = transport) => new LeaderElection({
    transport: over, clock, random, logger: silentLogger, namespace: 'kube-system', name: 'test', identity,
    lead: (signal) => {
      log.push(`${identity} leads`);
      signal.addEventListener('abort', () => log.push(`${identity} ends`));
    },
  });
  const lease = () => transport.all<KubeObject & { spec: Record<string, unknown> }>(leases)[0]!;
  return { clock, transport, log, candidate, lease };
}

test('one leads; the other follows when it stops, at once', async () => {
  const { clock, log, candidate, lease } = setUp();
  const a = candidate('a');
  const b = candidate('b');
  a.start();
  await settle();
  b.start();
  await clock.advance(60_000);
  assert.deepEqual(log, ['a leads']);
  assert.equal(lease().spec['holderIdentity'], 'a');
  const stopped = a.stop();
  await settle();
  await stopped;
  await clock.advance(5000);
  assert.deepEqual(log, ['a leads', 'a ends', 'b leads']);
  assert.equal(lease().spec['leaseTransitions'], 1);
  await b.stop();
  assert.equal(b.isLeader, false);
});

test('a leader that cannot renew gives up before another takes over', async () => {
  const { clock, transport, log, candidate } = setUp();
  const a = candidate('a');
  a.start();
  await clock.advance(1000);
  const b = candidate('b');
  b.start();
  await clock.advance(4000);
  // From now on only b reaches the server: a's writes fail, and it is a that holds the lease.
  transport.fail = (verb) => (verb === 'update' && a.isLeader ? status(503, 'ServiceUnavailable', 'away') : undefined);
  await clock.advance(8000);
  assert.deepEqual(log, ['a leads']);
  await clock.advance(30_000);
  assert.deepEqual(log.slice(0, 3), ['a leads', 'a ends', log[2]]);
  assert.match(log[2]!, /leads$/);
  await Promise.all([a.stop(), b.stop()]);
});
