import { dockerAt } from '../app/deploy/docker.ts';
import { diskUsage } from '../app/disk.ts';
import { command, OUTPUT } from './command.ts';
import { bytes, printData, table } from './data.ts';
import { runningInstance } from './instance.ts';

export const cli = command(
  {
    about: 'Shows what takes how much of the disk, and how much of it "longshore prune" could free at most (with --all and --volumes).',
    flags: { output: OUTPUT },
  },
  async (context, { output }) => {
    await runningInstance(context.home);
    const rows = await diskUsage(context.home, dockerAt(context.home.dockerSocket));
    await printData(context, output, {
      value: rows,
      names: rows.map(({ name }) => name),
      text: table(
        ['WHAT', 'COUNT', 'SIZE', 'RECLAIMABLE'],
        rows.map(({ name, count, bytes: size, reclaimable }) => [
          name,
          count === undefined ? '-' : String(count),
          bytes(size),
          reclaimable === undefined ? '-' : bytes(reclaimable),
        ]),
      ),
    });
    return 0;
  },
);
