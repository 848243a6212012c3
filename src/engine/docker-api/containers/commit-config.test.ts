import assert from 'node:assert/strict';
import { test } from 'node:test';
import { committedConfig } from './commit-config.ts';

const own = {
  Env: ['A=1', 'PATH=/bin'],
  Cmd: ['serve'],
  Entrypoint: ['/run'],
  Labels: { a: '1', b: '2' },
  ExposedPorts: { '80/tcp': {} },
  WorkingDir: '/srv',
  User: 'web',
  StopSignal: 'SIGINT',
  Healthcheck: { Test: ['CMD', 'check'], Interval: 5e9, Retries: 2 },
  Hostname: 'box',
  Image: 'busybox',
  Tty: true,
};

test('nothing given: the image runs as its container does', () => {
  const { Hostname: _hostname, Image: _image, Tty: _tty, ...rest } = own;
  assert.deepEqual(committedConfig({}, own), rest);
  assert.deepEqual(committedConfig({}, {}), { Env: [] });
});

test('what is given goes before, and is added to what there is', () => {
  const config = committedConfig(
    {
      Env: ['A=2', 'C=3'],
      Labels: { b: '3' },
      ExposedPorts: { '81/tcp': {} },
      Healthcheck: { Interval: 9e9, Test: [] },
      User: '',
      OnBuild: ['RUN x'],
    },
    own,
  );
  assert.deepEqual(config.Env, ['A=2', 'C=3', 'PATH=/bin']);
  assert.deepEqual(config.Labels, { a: '1', b: '3' });
  assert.deepEqual(Object.keys(config.ExposedPorts!).sort(), ['80/tcp', '81/tcp']);
  assert.deepEqual(config.Healthcheck, { Test: ['CMD', 'check'], Interval: 9e9, Retries: 2 });
  assert.equal(config.User, 'web');
  assert.deepEqual(config.OnBuild, ['RUN x']);
});

test('a program of its own takes no arguments of the container\'s, arguments leave the program', () => {
  const program = committedConfig({ Entrypoint: ['/other'] }, own);
  assert.deepEqual([program.Entrypoint, program.Cmd], [['/other'], undefined]);
  const argument = committedConfig({ Cmd: ['other'] }, own);
  assert.deepEqual([argument.Entrypoint, argument.Cmd], [['/run'], ['other']]);
});
