/**
 * What the host's primitives cost, one line each: the floor beneath `docker run` and pod start.
 * Run as root: `node bench/host.ts [rounds]`. Leaves nothing behind.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNetworks } from '../src/engine/network/open.ts';
import { openHost } from '../src/host/open.ts';
import { instanceTable } from '../src/host/tables.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/log.ts';
import { hexId, systemRandom } from '../src/lib/random.ts';

const rounds = Number(process.argv[2] ?? 50);
const dir = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
const instance = hexId(systemRandom, 4);
const startBytes = process.memoryUsage().rss;
const host = await openHost();

function row(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(3).padStart(9);
  process.stdout.write(`${name.padEnd(52)} median ${at(0.5)} ms   p99 ${at(0.99)} ms\n`);
}

async function measure(name: string, task: (n: number) => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const start = performance.now();
    await task(n);
    times.push(performance.now() - start);
  }
  row(name, times);
}

const layers = Array.from({ length: 8 }, (_, n) => join(dir, `layer${n}`));
for (const name of [...layers, join(dir, 'upper'), join(dir, 'work'), join(dir, 'merged'), join(dir, 'cgroup')]) mkdirSync(name);
const merged = join(dir, 'merged');

await measure('overlay of 8 layers: mount and unmount', async () =>
  (await host.mounts.overlay(merged, { lower: layers, upper: join(dir, 'upper'), work: join(dir, 'work') }))(),
);
await measure('the same, volatile', async () => {
  const undo = await host.mounts.overlay(merged, { lower: layers, upper: join(dir, 'upper'), work: join(dir, 'work'), volatile: true });
  await undo();
  // The mark that this was volatile; with it the directory can't be mounted again.
  rmSync(join(dir, 'work'), { recursive: true });
  mkdirSync(join(dir, 'work'));
});
await measure('network namespace: make', (n) => host.netns.create(join(dir, `ns${n}`)));
await measure('network namespace: remove', (n) => host.netns.remove(join(dir, `ns${n}`)));
await measure('nft: add and delete an element', async () => {
  const table = `${instanceTable(instance)}-bench`;
  await host.nft.apply(`add table ${table}\nadd set ${table} s { type inet_service; }\nadd element ${table} s { 80 }`);
  await host.nft.apply(`delete table ${table}`);
});
const cgroup = `longshore-bench-${instance}`;
await measure('cgroup with limits: make', (n) => host.cgroups.create(`${cgroup}/${n}`, { memoryBytes: 64 << 20, pids: 100, nanoCpus: 5e8 }));
await measure('cgroup: usage', (n) => host.cgroups.usage(`${cgroup}/${n}`));
await host.cgroups.remove(cgroup);
await measure('run a program (true)', () => host.spawn.run('true', []));

const networks = await openNetworks({ host, folder: join(dir, 'network'), instance, clock: systemClock, random: systemRandom, logger: silentLogger });
await networks.recover(new Set());
const { id } = await networks.get('bridge');
await new Promise((resolve) => setTimeout(resolve, 100));
await measure('container: namespace, link, address, published port', async (n) => {
  const netns = await networks.createNamespace(`c${n}`);
  await networks.connect(id, { containerId: `c${n}`, netns, linkName: 'eth0', ports: [{ containerPort: 80, protocol: 'tcp' }] });
});
await measure('container: all of that undone', async (n) => {
  await networks.disconnect(id, `c${n}`);
  await networks.removeNamespace(`c${n}`);
});
const start = performance.now();
await Promise.all(
  Array.from({ length: 50 }, async (_, n) => {
    const netns = await networks.createNamespace(`p${n}`);
    await networks.connect(id, { containerId: `p${n}`, netns, linkName: 'eth0', ports: [{ containerPort: 80, protocol: 'tcp' }] });
  }),
);
process.stdout.write(
  `50 containers at once: ${(performance.now() - start).toFixed(1)} ms; memory of host and network rooms: ${((process.memoryUsage().rss - startBytes) / 2 ** 20).toFixed(1)} MiB\n`,
);
await networks.destroy();
rmSync(dir, { recursive: true });
