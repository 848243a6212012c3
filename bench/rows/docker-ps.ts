import { docker } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';

export const row = dockerRow({
  name: 'docker-ps', what: '`docker ps`', unit: 's', budget: ratio(1), rounds: 15, recorded: 0.013,
  measure: async (side) => ({ value: (await docker(side, ['ps'])).seconds }),
});
