import { join } from 'node:path';
import { connectInside } from '../host/connect.ts';
import { openCriService } from '../node/cri/service.ts';
import type { Cri } from '../node/cri/cri.ts';
import { openBuilder } from './builder.ts';
import { openEngine, type Engine, type EngineOptions } from './engine.ts';
import { dockerGroup } from './docker-group.ts';
import { VERSION } from './version.ts';

export interface NodeEngineOptions extends EngineOptions {
  readonly nodeFolder: string;
  /** Left out: no Docker API. */
  readonly dockerSocket?: string;
}

export interface NodeEngine {
  readonly engine: Engine;
  readonly cri: Cri;
  /** `stopContainers`: ends all of them and takes the networks away; else they go on. */
  close(options: { readonly stopContainers: boolean }): Promise<void>;
}

/** The engine of a node with both of its doors: the Docker API on a socket, CRI in-process. What an earlier daemon left running is taken up. */
export async function openNodeEngine(options: NodeEngineOptions): Promise<NodeEngine> {
  const { clock, random, logger } = options;
  const engine = await openEngine({ ...options, logger: logger.child({ house: 'engine' }) });
  const cri = await openCriService({
    containers: engine.containers, images: engine.images, networks: engine.networks, host: options.host, folder: join(options.nodeFolder, 'sandboxes'),
    runtimeVersion: VERSION, clock, random, logger: logger.child({ room: 'cri' }), connectInside,
  });
  // A pod's network lives as long as its sandbox, which is no container.
  const sandboxes = await cri.recover();
  await engine.containers.recover((live) => engine.networks.recover(new Set([...live, ...sandboxes])));
  await cri.removeStrays();
  const builder = options.dockerSocket === undefined ? undefined : await openBuilder(engine, options);
  const docker = builder && engine.dockerApi(builder);
  if (docker) await docker.listen(options.dockerSocket!, await dockerGroup());
  return {
    engine, cri,
    async close({ stopContainers }) {
      // Builds have no supervisor: they end with us, and their clients hear why while they can be told.
      await builder?.close();
      await docker?.close();
      if (stopContainers) {
        for (const { id } of await cri.listPodSandbox()) await cri.stopPodSandbox(id);
      }
      await engine.close({ stopContainers });
      if (!stopContainers) return;
      await engine.networks.destroy();
      await engine.volumes.destroy();
    },
  };
}
