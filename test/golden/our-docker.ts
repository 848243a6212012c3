import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBuilder } from '../../src/app/builder.ts';
import { cgroupParentOf, openEngine } from '../../src/app/engine.ts';
import { openHost } from '../../src/host/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { dockerPlayer, importBusybox } from '../../tools/record/docker-player.ts';
import type { UnixEndpoint } from '../../tools/record/exchange.ts';
import type { Player } from '../../tools/record/play.ts';

export interface OurDocker extends AsyncDisposable {
  readonly player: Player;
}

/** Our engine in this process, on a socket in a temporary folder, with `busybox:1.0` in it. Its containers are real. */
export async function openOurDocker(): Promise<OurDocker> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-golden-'));
  const instance = randomBytes(4).toString('hex');
  const host = await openHost();
  const options = { folder, instance, host, clock: systemClock, random: systemRandom, logger: silentLogger };
  const engine = await openEngine(options);
  await engine.containers.recover((live) => engine.networks.recover(live));
  const builder = await openBuilder(engine, options);
  const api = engine.dockerApi(builder);
  const endpoint: UnixEndpoint = { kind: 'unix', socketPath: join(folder, 'docker.sock') };
  await api.listen(endpoint.socketPath);
  const close = async (): Promise<void> => {
    await api.close();
    await builder.close();
    await engine.close({ stopContainers: true });
    await engine.networks.destroy();
    await host.cgroups.remove(cgroupParentOf(instance));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await importBusybox(endpoint);
  } catch (error) {
    await close();
    throw error;
  }
  return { player: dockerPlayer(endpoint, folder), [Symbol.asyncDispose]: close };
}
