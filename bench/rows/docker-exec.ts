import { docker } from '../lib/command.ts';
import { dockerRow, ratio } from '../lib/row.ts';
import { prepared } from '../lib/side.ts';

export const row = dockerRow({
  name: 'docker-exec', what: '`docker exec` of `true`', unit: 's', budget: ratio(0.6), rounds: 9, recorded: 0.07,
  async measure(side, stage) {
    await prepared(side, 'exec', async () => {
      await docker(side, ['run', '-d', '--name', 'bench-exec', 'busybox', 'sleep', '3600']);
      stage.onEnd(async () => void (await docker(side, ['rm', '-f', 'bench-exec'])));
    });
    return { value: (await docker(side, ['exec', 'bench-exec', 'true'])).seconds };
  },
});
