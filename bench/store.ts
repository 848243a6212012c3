/**
 * The store's benchmark: `node bench/store.ts [folder]`. Prints one JSON line a
 * figure. `mainUs` is the event loop's busy time for each transaction, in µs.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogStore } from '../src/control-plane/store/log/open-log-store.ts';
import { openMemoryStore } from '../src/control-plane/store/memory-store.ts';
import { prefixEnd } from '../src/control-plane/store/store.ts';
import type { Store } from '../src/control-plane/store/store.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/log.ts';

const VALUE_BYTES = 1024;

function report(what: string, figures: Record<string, number>): void {
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(value * 100) / 100]));
  console.log(JSON.stringify({ what, ...rounded, rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20) }));
}

/** Runs `txns` creates, `inFlight` at a time. */
async function create(store: Store, what: string, txns: number, inFlight: number, keyOf: (n: number) => string): Promise<void> {
  const latencies: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < txns) {
      const key = keyOf(next++);
      const start = performance.now();
      await store.txn({ compare: [{ key, modRevision: 0 }], success: [{ type: 'put', key, value: Buffer.alloc(VALUE_BYTES, next) }] });
      latencies.push(performance.now() - start);
    }
  };
  const cpuBefore = process.cpuUsage();
  const loopBefore = performance.eventLoopUtilization();
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, client));
  const ms = performance.now() - start;
  const cpu = process.cpuUsage(cpuBefore);
  latencies.sort((a, b) => a - b);
  report(what, {
    perSecond: (txns / ms) * 1000,
    mainUs: (performance.eventLoopUtilization(loopBefore).active * 1000) / txns,
    cpuUs: (cpu.user + cpu.system) / txns,
    p50Ms: latencies[Math.floor(txns * 0.5)]!,
    p99Ms: latencies[Math.floor(txns * 0.99)]!,
  });
}

/** Mean time of `run` in µs. */
function time(times: number, run: (n: number) => void): number {
  const start = performance.now();
  for (let n = 0; n < times; n++) run(n);
  return ((performance.now() - start) * 1000) / times;
}

/** Spreads the keys, so that each insertion falls somewhere else. */
function scattered(n: number): string {
  return `/registry/pods/ns-${n % 100}/pod-${((n * 2654435761) % 2 ** 32).toString(36)}-${n}`;
}

/** Mean time of a page, in µs, of a list at an old revision that is read to its end. */
function pages(store: Store, from: string, end: string, revision: number): number {
  const began = performance.now();
  let start = from;
  for (let count = 1; ; count++) {
    const { entries, more } = store.range(start, end, { limit: 500, revision });
    if (!more) return ((performance.now() - began) * 1000) / count;
    start = `${entries.at(-1)!.key}\0`;
  }
}

function reads(store: Store, keys: number): void {
  const all = { start: '/registry/pods/', end: prefixEnd('/registry/pods/') };
  const old = store.revision - Math.floor(keys / 2);
  report(`reads of ${keys} keys, in µs`, {
    get: time(100_000, (n) => store.get(scattered(n % keys))),
    list500: time(2_000, () => store.range(all.start, all.end, { limit: 500 })),
    page500Old: pages(store, all.start, all.end, old),
    list500Old: time(2_000, () => store.range(all.start, all.end, { limit: 500, revision: old })),
    listNamespace: time(500, (n) => store.range(`/registry/pods/ns-${n % 100}/`, `/registry/pods/ns-${n % 100}0`)),
    listAll: time(20, () => store.range(all.start, all.end)),
  });
}

/** A process of its own, whose heap holds nothing else. */
function recoverInChild(path: string): void {
  spawnSync(process.execPath, [import.meta.filename, '--recover', path], { stdio: 'inherit' });
}

async function recovery(path: string): Promise<void> {
  const start = performance.now();
  const store = await openLogStore({ path, clock: systemClock, logger: silentLogger });
  report(`recovery of ${store.stats().keys} keys of 1 KB`, { ms: performance.now() - start });
  await store.close();
}

async function main(): Promise<void> {
  if (process.argv[2] === '--recover') return recovery(process.argv[3]!);
  const path = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'longshore-store-bench-'));
  const open = (): Promise<Store> => openLogStore({ path, clock: systemClock, logger: silentLogger });
  try {
    const memory = await openMemoryStore();
    await create(memory, 'memory, 32 in flight', 100_000, 32, scattered);
    await memory.close();

    let store = await open();
    await create(store, 'log, warm-up', 10_000, 32, (n) => `/registry/a/${n}`);
    await store.close();
    recoverInChild(path);
    store = await open();
    await create(store, 'log, 1 in flight', 3_000, 1, (n) => `/registry/b/${n}`);
    await create(store, 'log, 32 in flight', 60_000, 32, (n) => `/registry/c/${n}`);
    await create(store, 'log, 256 in flight', 60_000, 256, (n) => `/registry/d/${n}`);
    await create(store, 'log, 32 in flight, keys scattered', 150_000, 32, scattered);
    reads(store, 150_000);

    const loop = performance.eventLoopUtilization();
    const start = performance.now();
    await store.compact(store.revision);
    let longest = 0;
    let turn = performance.now();
    while (!(await readdir(path)).some((name) => /^snapshot-\d+$/.test(name))) {
      await new Promise((resolve) => setImmediate(resolve));
      longest = Math.max(longest, performance.now() - turn);
      turn = performance.now();
    }
    report('compaction of everything, and the snapshot', {
      ms: performance.now() - start,
      longestTurnMs: longest,
      busy: performance.eventLoopUtilization(loop).utilization,
    });
    await store.close();
    recoverInChild(path);
  } finally {
    await rm(path, { recursive: true });
  }
}

await main();
