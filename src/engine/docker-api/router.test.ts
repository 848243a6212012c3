import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frame, streamType } from './frames.ts';
import { Router } from './router.ts';

test('paths, names with slashes, and methods', () => {
  const router = new Router();
  const answer = (): { status: number } => ({ status: 200 });
  router
    .on('GET', '/images/json', answer)
    .on('GET', '/images/{name...}/json', answer)
    .on('DELETE', '/images/{name...}', answer)
    .on('GET', '/containers/{name}/json', answer);
  const params = (method: string, path: string): unknown => {
    const found = router.match(method, path);
    return typeof found === 'object' ? found.params : found;
  };
  assert.deepEqual(params('GET', '/images/json'), {});
  assert.deepEqual(params('GET', '/images/host:5000/a/b:1/json'), { name: 'host:5000/a/b:1' });
  assert.deepEqual(params('DELETE', '/images/a%2Fb'), { name: 'a/b' });
  assert.deepEqual(params('GET', '/containers/x%zz/json'), { name: 'x%zz' });
  assert.equal(params('GET', '/containers/a/b/json'), undefined);
  assert.equal(params('POST', '/images/json'), 'method-not-allowed');
});

test('frames of the multiplexed stream', () => {
  assert.deepEqual([...frame('stdout', Buffer.from('hi'))], [1, 0, 0, 0, 0, 0, 0, 2, 104, 105]);
  assert.deepEqual([...frame('stderr', Buffer.alloc(0))], [2, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(streamType(false, 41), 'application/vnd.docker.raw-stream');
  assert.equal(streamType(false, 42), 'application/vnd.docker.multiplexed-stream');
  assert.equal(streamType(true, 50), 'application/vnd.docker.raw-stream');
});
