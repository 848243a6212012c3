import { docker } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';

/** Through the supervisor, the log and the attached client: `docker run` without -t, its output thrown away. */
export const row = dockerRow({
  name: 'output',
  what: '200 MB of output through `docker run`',
  unit: 's',
  budget: ratio(0.5),
  recorded: 5.3,
  measure: async (side) => ({
    value: (await docker(side, ['run', '--rm', 'busybox', 'dd', 'if=/dev/zero', 'bs=1M', 'count=200', 'status=none'], { discard: true }))
      .seconds,
  }),
});
