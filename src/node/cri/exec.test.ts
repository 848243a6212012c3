import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Containers } from '../../engine/containers/containers.ts';
import { attachStream } from './exec.ts';

/** An engine with one container, whose streams end at once. */
function engineOf(exitCode: number): Pick<Containers, 'attach' | 'get' | 'resize'> {
  return {
    attach: () => Promise.resolve({ stdin: undefined, closed: Promise.resolve(), onOutput: () => () => undefined, detach: () => undefined }),
    get: () => ({ exit: { code: exitCode, oomKilled: false, finishedMs: 0 } }) as Container,
    resize: () => Promise.resolve(),
  };
}

test('attaching ends with the exit code of the container', async () => {
  const stream = await attachStream(engineOf(3), { id: 'c', status: 'running' }, false);
  assert.equal(await stream.exit, 3);
});

test('a container that has ended meanwhile is not waited for', async () => {
  await assert.rejects(attachStream(engineOf(0), { id: 'c', status: 'exited' }, false), { code: 'conflict', message: /has ended/ });
});
