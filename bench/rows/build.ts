import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { command } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';
import type { DockerSide } from '../lib/side.ts';
import type { Stage } from '../lib/stage.ts';

const DOCKERFILE = `
FROM busybox AS left
RUN sleep 1
RUN echo left > /left
FROM busybox AS right
RUN sleep 1
RUN echo right > /right
FROM busybox
COPY --from=left /left /
COPY --from=right /right /
`;

/** buildx as tools/clients.sh builds it. */
const BUILDX = join(
  process.env['LONGSHORE_CLIENTS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'longshore/clients'),
  'buildx-v0.33.0',
);

const build =
  (...flags: string[]) =>
  async (side: DockerSide, stage: Stage) => {
    const folder = await stage.once('build context', async () => {
      const made = join(await stage.folder(), 'context');
      await mkdir(made);
      await writeFile(join(made, 'Dockerfile'), DOCKERFILE);
      return made;
    });
    const { seconds } = await command(
      BUILDX,
      ['build', '--builder', 'default', '--progress', 'quiet', '--provenance=false', ...flags, '-t', 'bench-build', folder],
      { env: side.env },
    );
    return { value: seconds };
  };

export const rows = [
  dockerRow({
    name: 'build',
    what: 'buildx build, two parallel `sleep 1`, no cache',
    unit: 's',
    budget: ratio(0.7),
    rounds: 2,
    recorded: 2.27,
    measure: build('--no-cache'),
  }),
  dockerRow({
    name: 'build-cached',
    what: 'the same, cached',
    unit: 's',
    budget: ratio(0.6),
    rounds: 5,
    recorded: 0.204,
    measure: build(),
  }),
];
