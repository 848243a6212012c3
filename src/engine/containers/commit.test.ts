import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyChanges } from './commit.ts';

test('changes are instructions, one after the other', () => {
  const config = applyChanges({ Env: ['PATH=/bin'], Labels: { a: '1' } }, [
    'ENV PATH=/usr/bin:$PATH',
    'CMD ["a", "b"]',
    'ENTRYPOINT run $IT',
    'LABEL b="two words"',
    'EXPOSE 80 53/udp',
    'WORKDIR /srv',
    'WORKDIR sub',
  ]);
  assert.deepEqual(config, {
    Env: ['PATH=/usr/bin:/bin'],
    Labels: { a: '1', b: 'two words' },
    Cmd: ['a', 'b'],
    Entrypoint: ['/bin/sh', '-c', 'run $IT'],
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    WorkingDir: '/srv/sub',
  });
});

test('a health check, with its flags', () => {
  const of = (text: string): unknown => applyChanges({}, [`HEALTHCHECK ${text}`]).Healthcheck;
  assert.deepEqual(of('NONE'), { Test: ['NONE'] });
  assert.deepEqual(of('CMD wget -q localhost'), { Test: ['CMD-SHELL', 'wget -q localhost'] });
  assert.deepEqual(of('--interval=1m30s --start-interval=500ms --retries=4 CMD ["/check"]'), {
    Test: ['CMD', '/check'],
    Interval: 90e9,
    StartInterval: 5e8,
    Retries: 4,
  });
  for (const wrong of ['CMD', 'now', '--interval=soon CMD x', '--sometimes=1s CMD x', 'CMD [x']) {
    assert.throws(() => of(wrong), { code: 'invalid', message: /^invalid change: HEALTHCHECK/ });
  }
});

test('what is no instruction of a commit is refused', () => {
  for (const wrong of ['RUN x', 'FROM y', 'nonsense']) {
    assert.throws(() => applyChanges({}, [wrong]), { code: 'invalid', message: /is not a valid change command/ });
  }
});
