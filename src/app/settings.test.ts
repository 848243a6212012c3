import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSettings, settingsEnvironment, settingsFile } from './settings.ts';

test('a flag goes before the environment, and that before the file', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'settings-'));
  t.after(() => rm(root, { recursive: true }));
  assert.deepEqual(await readSettings({ root }, {}), { logLevel: 'info', registry: 'read', dockerSocket: false, without: [] });
  await writeFile(settingsFile({ root }), 'listen: 10.1.2.3\nregistry: host # pods have none\nnodeGraceSeconds: 20\ndockerSocket: yes\n');
  assert.deepEqual(await readSettings({ root }, {}), {
    listen: '10.1.2.3',
    nodeGraceSeconds: 20,
    logLevel: 'info',
    registry: 'host',
    dockerSocket: true,
    without: [],
  });
  const environment = { LONGSHORE_LISTEN: '0.0.0.0', LONGSHORE_NODE_GRACE_SECONDS: '30' };
  assert.equal((await readSettings({ root }, environment)).listen, '0.0.0.0');
  const flags = settingsEnvironment({ listen: '127.0.0.9', registry: undefined, 'docker-socket': false });
  assert.deepEqual(flags, { LONGSHORE_LISTEN: '127.0.0.9', LONGSHORE_DOCKER_SOCKET: 'false' });
  const all = await readSettings({ root }, { ...environment, ...flags });
  assert.deepEqual([all.listen, all.nodeGraceSeconds, all.dockerSocket, all.registry], ['127.0.0.9', 30, false, 'host']);
});

test('parts of the control plane can be left out, by name', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'settings-'));
  t.after(() => rm(root, { recursive: true }));
  assert.deepEqual((await readSettings({ root }, { LONGSHORE_WITHOUT: 'scheduler, controllers' })).without, ['scheduler', 'controllers']);
  await assert.rejects(readSettings({ root }, { LONGSHORE_WITHOUT: 'kubelet' }), /LONGSHORE_WITHOUT=kubelet names a part "kubelet", which there is not/);
});

test('what is wrong is told with where it stands', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'settings-'));
  t.after(() => rm(root, { recursive: true }));
  await assert.rejects(readSettings({ root }, { LONGSHORE_LOG: 'loud' }), /LONGSHORE_LOG=loud is none of debug, info, warn, error/);
  await assert.rejects(
    readSettings({ root }, { LONGSHORE_NODE_GRACE_SECONDS: '3' }),
    /LONGSHORE_NODE_GRACE_SECONDS=3 is not a number of seconds from 12/,
  );
  for (const [text, message] of [
    ['lisen: x', /a setting "lisen", which there is not/],
    ['listen: [a]', /listen is to be one word/],
    ['listen: "', /config\.yaml: /],
    ['dockerSocket: perhaps', /dockerSocket: perhaps in .* is neither true nor false/],
  ] as const) {
    await writeFile(settingsFile({ root }), text + '\n');
    await assert.rejects(readSettings({ root }, {}), message);
  }
});
