import type { Builder } from '../engine/docker-api/builder.ts';
import type { Engine, EngineOptions } from './engine.ts';

/** The builder over the engine. */
export function openBuilder(_engine: Engine, _options: EngineOptions): Promise<Builder | undefined> {
  return Promise.resolve(undefined);
}
