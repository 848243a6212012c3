import { LongshoreError } from '../../../lib/errors.ts';
import { commitContainer } from '../../containers/commit.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { CONFIG } from '../shapes.ts';
import { committedConfig } from './commit-config.ts';
import type { Config } from './config.ts';
import { keptOf } from './inspect.ts';

/** `POST /commit`: an image of what a container has become. */
export async function commit(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = (await request.json<Config>(CONFIG)) ?? {};
  const name = request.query.get('container');
  if (!name) throw new LongshoreError('invalid', 'no container given');
  const container = deps.containers.get(name);
  const repository = request.query.get('repo') ?? '';
  const tag = request.query.get('tag') ?? '';
  const pause = request.flag('pause', true) && container.status === 'running';
  if (pause) await deps.containers.pause(container.id);
  try {
    const image = await commitContainer(deps, container, {
      references: repository === '' ? [] : [tag === '' ? repository : `${repository}:${tag}`],
      comment: request.query.get('comment') ?? '',
      author: request.query.get('author') ?? '',
      changes: request.query.getAll('changes').flatMap((line) => line.split('\n')).filter((line) => line.trim() !== ''),
      createdMs: deps.clock.now(),
      config: committedConfig(body, keptOf(container).Config),
    });
    deps.containers.announce(container.id, 'commit', {
      comment: request.query.get('comment') ?? '',
      imageID: image.id,
      ...(repository === '' ? {} : { imageRef: repository }),
    });
    return { status: 201, body: { Id: image.id } };
  } finally {
    if (pause) await deps.containers.unpause(container.id);
  }
}
