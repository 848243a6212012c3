/**
 * `npm run interop [NAME…]`: swaps parts of the platform for upstream's programs, tries what they are for, and prints a
 * table. Exit code 1 when something failed.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { tryControlPlaneParts } from './control-plane-parts.ts';
import { tryKubelet } from './kubelet.ts';
import { tryOurNode } from './our-node.ts';
import { formatTable, type Row } from './table.ts';

interface Swap {
  readonly title: string;
  readonly programs: readonly string[];
  readonly attempt: (programs: string, title: string) => Promise<Row[]>;
}

const SWAPS: Readonly<Record<string, Swap>> = {
  parts: {
    title: 'kube-scheduler and kube-controller-manager on our API server',
    programs: ['kube-scheduler', 'kube-controller-manager'],
    attempt: tryControlPlaneParts,
  },
  node: {
    title: 'our node on kube-apiserver',
    programs: ['etcd', 'kube-apiserver', 'kube-scheduler', 'kube-controller-manager'],
    attempt: tryOurNode,
  },
  kubelet: {
    title: 'kubelet and containerd on our API server',
    programs: ['kubelet', 'containerd', 'containerd-shim-runc-v2', 'runc'],
    attempt: tryKubelet,
  },
};

const programs = process.env.LONGSHORE_PEERS;
if (programs === undefined) {
  process.stderr.write('skipped: LONGSHORE_PEERS names no folder of upstream programs. Build them with tools/peers/build.ts\n');
  process.exit(0);
}
const rows: Row[] = [];
const names = process.argv.slice(2);
for (const name of names.length === 0 ? Object.keys(SWAPS) : names) {
  const swap = SWAPS[name];
  if (swap === undefined) throw new Error(`there is no swap ${name}; there are ${Object.keys(SWAPS).join(', ')}`);
  const missing = (
    await Promise.all(
      swap.programs.map(async (program) =>
        (await access(join(programs, program)).then(
          () => true,
          () => false,
        ))
          ? []
          : [program],
      ),
    )
  ).flat();
  if (missing.length > 0) {
    process.stderr.write(`${swap.title}: skipped, ${programs} has no ${missing.join(', ')}\n`);
    continue;
  }
  process.stderr.write(`${swap.title}\n`);
  rows.push(...await swap.attempt(programs, swap.title));
}
process.stdout.write(formatTable(rows));
process.exit(rows.some(({ failure }) => failure !== undefined) ? 1 : 0);
