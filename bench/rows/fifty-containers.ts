import { docker } from '../lib/command.ts';
import { memoryOf } from '../lib/memory.ts';
import { dockerRow, ratio, atMost } from '../lib/row.ts';
import { prepared, type DockerSide } from '../lib/side.ts';

const COUNT = 50;
const names = Array.from({ length: COUNT }, (_, index) => `bench-${index}`);

interface Fifty {
  readonly startSeconds: number;
  readonly removeSeconds: number;
  /** RSS and PSS that came with the containers, the workloads' own left out, for each container. */
  readonly rss: number;
  readonly pss: number;
}

async function fifty(side: DockerSide): Promise<Fifty> {
  return await prepared(side, 'fifty', async () => {
    const before = await memoryOf(await side.pids());
    const began = performance.now();
    await Promise.all(names.map((name) => docker(side, ['run', '-d', '--name', name, 'busybox', 'sleep', '3600'])));
    const startSeconds = (performance.now() - began) / 1000;
    const after = await memoryOf(await side.pids());
    const { seconds } = await docker(side, ['rm', '-f', ...names]);
    return { startSeconds, removeSeconds: seconds, rss: (after.rss - before.rss) / COUNT, pss: (after.pss - before.pss) / COUNT };
  });
}

export const rows = [
  dockerRow({
    name: 'fifty-runs', what: `${COUNT} × \`docker run -d\` at once`, unit: 's', budget: ratio(0.4), recorded: 6.9,
    measure: async (side) => ({ value: (await fifty(side)).startSeconds }),
  }),
  dockerRow({
    name: 'fifty-removals', what: `\`docker rm -f\` of the ${COUNT}`, unit: 's', budget: ratio(0.4), recorded: 3.8,
    measure: async (side) => ({ value: (await fifty(side)).removeSeconds }),
  }),
  dockerRow({
    name: 'container-memory', what: 'memory per running container, PSS (supervisor, and what the daemon grew)', unit: 'MiB', budget: atMost(2), recorded: 6,
    async measure(side) {
      const { pss, rss } = await fifty(side);
      return { value: pss, note: `RSS ${rss.toFixed(1)} MiB` };
    },
  }),
];
