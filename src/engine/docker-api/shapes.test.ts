import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATE, checkPortBindings, checkShape } from './shapes.ts';

test('a body of the right shape passes, whatever else it holds', () => {
  checkShape(
    {
      Image: 'a',
      Cmd: 'one',
      Env: null,
      Labels: { a: 'b' },
      Unknown: [[1]],
      HostConfig: { Memory: 1, Mounts: [{ Target: '/x' }], Ulimits: null },
    },
    CREATE,
  );
  checkPortBindings({ '80/tcp': [{ HostPort: '8080' }], '81/tcp': null });
});

test('a wrong type is refused by name', () => {
  const refused = (body: object, message: RegExp): void => assert.throws(() => checkShape(body, CREATE), message);
  refused({ Cmd: 5 }, /Cmd has to be a string or a list of strings/);
  refused({ Cmd: [['x']] }, /Cmd has to be/);
  refused({ Env: [1] }, /Env has to be a list of strings/);
  refused({ Labels: { a: 1 } }, /Labels has to be an object of strings/);
  refused({ HostConfig: [] }, /HostConfig has to be an object/);
  refused({ HostConfig: { Memory: Infinity } }, /HostConfig\.Memory has to be a whole number/);
  refused({ HostConfig: { Memory: 2 ** 60 } }, /whole number/);
  refused({ HostConfig: { Mounts: [{ Target: 5 }] } }, /HostConfig\.Mounts\[0\]\.Target has to be a string/);
  refused({ NetworkingConfig: { EndpointsConfig: { net: { Aliases: 'x' } } } }, /EndpointsConfig\.net\.Aliases/);
  refused({ ExposedPorts: { '80/tcp': 1 } }, /ExposedPorts\.80\/tcp has to be an object/);
  assert.throws(() => checkPortBindings({ '80/tcp': {} }), /PortBindings\.80\/tcp has to be a list/);
});
