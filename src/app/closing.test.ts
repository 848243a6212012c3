import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { Closing } from './closing.ts';

test('a part that fails keeps no other from ending, and all that failed are named at last', async () => {
  const ended: string[] = [];
  const phases: string[] = [];
  const options = { what: 'the node', home: '/home', clock: systemClock, logger: silentLogger, onPhase: (name: string): void => void phases.push(name) };
  const closing = new Closing(options);
  const fail = async (): Promise<void> => { throw new Error('no'); };
  await closing.step('first', fail);
  await closing.step('second', async () => void ended.push('second'));
  await closing.attempt('status', fail);
  assert.deepEqual([ended, phases], [['second'], ['second']]);
  assert.throws(() => closing.finish(), { code: 'internal', message: 'the node did not stop in good order: first: no; status: no', object: 'home /home' });
  new Closing(options).finish();
});
