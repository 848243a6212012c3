// Builds that run when the engine stops: they end, their clients hear why, and nothing of them is left.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { openBuilder } from '../../src/app/builder.ts';
import { openEngine } from '../../src/app/engine.ts';
import { openHost } from '../../src/host/open.ts';
import { docker, engineOptions, importBusybox, newPlace, takeDown, type Ran } from './docker-engine.ts';
import { eventually } from './platform.ts';

const cache = process.env.LONGSHORE_CLIENTS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'longshore/clients');
const buildx = existsSync(cache) ? readdirSync(cache).filter((name) => /^buildx-v[\d.]+$/.test(name)).map((name) => join(cache, name)).at(-1) : undefined;

/** Starts a build that takes a minute, closes the builder in the midst of it, and looks at what the client makes of it. */
async function closeDuring(t: TestContext, plugin: string | undefined): Promise<Ran> {
  const place = await newPlace();
  const host = await openHost();
  const options = engineOptions(place, host);
  const engine = await openEngine(options);
  t.after(async () => {
    await engine.close({ stopContainers: true });
    await takeDown(place, engine, host);
  });
  await engine.containers.recover();
  const builder = await openBuilder(engine, options);
  const api = engine.dockerApi(builder);
  await api.listen(place.socket);
  await importBusybox(engine);
  await mkdir(join(place.folder, 'config/cli-plugins'), { recursive: true });
  if (plugin !== undefined) await symlink(plugin, join(place.folder, 'config/cli-plugins/docker-buildx'));
  const context = join(place.folder, 'context');
  await mkdir(context);
  await writeFile(join(context, 'Dockerfile'), 'FROM busybox\nRUN echo begun && sleep 60\n');

  const building = docker(place, plugin === undefined ? ['build', context] : ['buildx', 'build', '--progress', 'plain', context]);
  await eventually('the command runs', () => engine.containers.list().some(({ status }) => status === 'running'));
  await builder.close();
  await api.close();
  const ran = await building;
  assert.deepEqual(await host.mounts.beneath(join(options.folder, 'build')), []);
  await assert.rejects(builder.build(new PassThrough(), {} as never, () => undefined, new AbortController().signal), /the engine is stopping/);
  return ran;
}

test('a classic build ends with the reason', async (t) => {
  const ran = await closeDuring(t, undefined);
  assert.notEqual(ran.code, 0);
  assert.match(ran.stderr, /the engine is stopping, so this build was ended/, ran.stdout);
});

test('a build by buildx ends with the reason', { skip: buildx === undefined ? 'buildx is not on this machine' : false }, async (t) => {
  const ran = await closeDuring(t, buildx);
  assert.notEqual(ran.code, 0);
  assert.match(ran.stderr, /the engine is stopping, so this build was ended/);
});
