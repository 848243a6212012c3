import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cri } from '../cri/cri.ts';
import { untilStopped } from './stopping.ts';

test('when the agent stops, no call begins, a wait for an end is given up, and what makes something is awaited', async () => {
  const calls: string[] = [];
  const ends: ((id: string) => void)[] = [];
  const slow = (name: string) => (id: string): Promise<string> => {
    calls.push(`${name} ${id}`);
    return new Promise((resolve) => ends.push(resolve));
  };
  const abort = new AbortController();
  const cri = untilStopped({ stopContainer: slow('stop'), createContainer: slow('create') } as unknown as Cri, abort.signal);
  const [stopped, created] = [cri.stopContainer('a', 60), cri.createContainer('b', {} as never, {} as never)];
  const why = new Error('the agent is stopping');
  abort.abort(why);
  await assert.rejects(stopped, why);
  ends[1]!('made');
  assert.equal(await created, 'made');
  await assert.rejects(cri.createContainer('d', {} as never, {} as never), why);
  assert.deepEqual(calls, ['stop a', 'create b']);
});
