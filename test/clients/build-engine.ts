/** An engine with a builder, for tests of docker build by the classic endpoint and by buildx where it is on the machine. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { openBuilder } from '../../src/app/builder.ts';
import { openEngine } from '../../src/app/engine.ts';
import type { Engine } from '../../src/app/engine.ts';
import { openHost } from '../../src/host/open.ts';
import { docker, engineOptions, importBusybox, newPlace, takeDown } from './docker-engine.ts';
import type { Place, Ran } from './docker-engine.ts';

/** buildx where tools/clients.sh puts it, or where docker keeps its plug-ins. */
const cache = process.env['LONGSHORE_CLIENTS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'longshore/clients');
const buildx = [
  ...(existsSync(cache)
    ? readdirSync(cache)
        .filter((name) => /^buildx-v[\d.]+$/.test(name))
        .map((name) => join(cache, name))
    : []),
  '/usr/libexec/docker/cli-plugins/docker-buildx',
  '/usr/lib/docker/cli-plugins/docker-buildx',
  join(homedir(), '.docker/cli-plugins/docker-buildx'),
].find((path) => existsSync(path));

/** Why tests of buildx are left out; false: they are not. */
export const noBuildx = buildx === undefined ? 'buildx is not on this machine' : false;

export type Door = 'classic' | 'buildx';

export interface BuildEngine {
  readonly place: Place;
  readonly engine: Engine;
  /** Writes a context. @returns its folder */
  context(files: Readonly<Record<string, string>>): string;
  build(door: Door, folder: string, ...args: string[]): Promise<Ran>;
  /** The same, failing the test unless it is built. @returns what was printed */
  ok(door: Door, folder: string, ...args: string[]): Promise<string>;
  /** Runs an image to its end. @returns its output */
  run(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function startBuildEngine(): Promise<BuildEngine> {
  const place = await newPlace();
  const host = await openHost();
  const options = engineOptions(place, host);
  const engine = await openEngine(options);
  await engine.containers.recover();
  const builder = await openBuilder(engine, options);
  const api = engine.dockerApi(builder);
  await api.listen(place.socket);
  await importBusybox(engine);
  if (buildx !== undefined) {
    mkdirSync(join(place.folder, 'config/cli-plugins'), { recursive: true });
    symlinkSync(buildx, join(place.folder, 'config/cli-plugins/docker-buildx'));
  }
  let contexts = 0;
  const build = (door: Door, folder: string, ...args: string[]): Promise<Ran> => {
    process.env['DOCKER_BUILDKIT'] = door === 'classic' ? '0' : '1';
    return docker(place, ['build', ...(door === 'buildx' ? ['--progress=plain'] : []), ...args, folder]);
  };
  return {
    place,
    engine,
    context(files) {
      const folder = join(place.folder, `context-${contexts++}`);
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      return folder;
    },
    build,
    async ok(door, folder, ...args) {
      const ran = await build(door, folder, ...args);
      assert.equal(ran.code, 0, ran.stderr + ran.stdout);
      return ran.stdout + ran.stderr;
    },
    async run(...args) {
      const ran = await docker(place, ['run', '--rm', ...args]);
      assert.equal(ran.code, 0, ran.stderr);
      return ran.stdout.trim();
    },
    async close() {
      await api.close();
      await builder.close();
      for (const container of engine.containers.list()) await engine.containers.remove(container.id, { force: true, volumes: true });
      await engine.close({ stopContainers: true });
      await takeDown(place, engine, host);
    },
  };
}
