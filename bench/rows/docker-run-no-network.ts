import { docker } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';

export const row = dockerRow({
  name: 'docker-run-no-network', what: 'the same, `--network none`', unit: 's', budget: ratio(0.3), rounds: 9, recorded: 0.211,
  measure: async (side) => ({ value: (await docker(side, ['run', '--rm', '--network', 'none', 'busybox', 'true'])).seconds }),
});
