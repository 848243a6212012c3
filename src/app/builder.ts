import { join } from 'node:path';
import { openBuilder as open } from '../engine/build/build.ts';
import type { Builder } from '../engine/build/builder.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { VERSION } from './version.ts';

/** The builder over the engine. To be opened after the containers were recovered. */
export async function openBuilder(engine: Engine, options: EngineOptions): Promise<Builder> {
  const { clock, folder, instance, logger, random } = options;
  return await open({
    folder: join(folder, 'build'),
    volatileFolder: join('/run', `longshore-${instance}-build`),
    images: engine.images,
    containers: engine.containers,
    network: 'bridge',
    version: VERSION,
    clock,
    random,
    logger: logger.child({ room: 'build' }),
  });
}
