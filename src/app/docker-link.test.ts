import assert from 'node:assert/strict';
import { lstat, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCode } from '../lib/errors.ts';
import { linkDockerSocket, unlinkDockerSocket } from './docker-link.ts';

test('the usual place leads to the instance, unless another engine is there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'link-'));
  t.after(() => rm(folder, { recursive: true }));
  const [place, ours, theirs] = ['docker.sock', 'ours.sock', 'theirs.sock'].map((name) => join(folder, name)) as [string, string, string];

  await linkDockerSocket(ours, place);
  await linkDockerSocket(ours, place);
  assert.equal(await readlink(place), ours);
  await unlinkDockerSocket(theirs, place);
  assert.equal(await readlink(place), ours, 'the link of another instance stays');
  await unlinkDockerSocket(ours, place);
  await unlinkDockerSocket(ours, place);
  await assert.rejects(lstat(place));

  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(theirs, resolve));
  await symlink(theirs, place);
  await assert.rejects(linkDockerSocket(ours, place), (error) => isCode(error, 'conflict'));
  await new Promise((resolve) => server.close(resolve));
  await linkDockerSocket(ours, place);
  assert.equal(await readlink(place), ours, 'what nobody answers at is replaced');

  await rm(place);
  await writeFile(place, 'precious');
  await assert.rejects(linkDockerSocket(ours, place), (error) => isCode(error, 'conflict'));
});
