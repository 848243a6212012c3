import { docker } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';

/** A container from create to gone, as a user waits for it: the docker command's own time is in it. */
export const row = dockerRow({
  name: 'docker-run', what: '`docker run --rm busybox true`', unit: 's', budget: ratio(0.3), rounds: 9, recorded: 0.276,
  measure: async (side) => ({ value: (await docker(side, ['run', '--rm', 'busybox', 'true'])).seconds }),
});
