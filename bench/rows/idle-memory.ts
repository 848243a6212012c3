import { memoryOf } from '../lib/memory.ts';
import { atMost, type Row } from '../lib/row.ts';
import type { Side } from '../lib/side.ts';

const SETTLE_MS = 5000;

/** RSS of every process of a platform that does nothing; PSS in the note. The peer's leave kubelet and kube-proxy out. */
export const row: Row = {
  name: 'idle-memory', what: 'idle memory of everything, RSS', unit: 'MiB', budget: atMost(128), rounds: 1, recorded: 777,
  ours: async (stage) => await measure([await stage.ourKube(), await stage.ourDocker()]),
  peer: async (stage) => await measure([await stage.peerKube(), await stage.peerDocker()]),
};

async function measure(sides: readonly Side[]): Promise<{ value: number; note: string }> {
  await new Promise((resolve) => { setTimeout(resolve, SETTLE_MS); });
  const pids = await Promise.all(sides.map((side) => side.pids()));
  const { rss, pss } = await memoryOf([...new Set(pids.flat())]);
  return { value: rss, note: `PSS ${pss.toFixed(0)} MiB` };
}
