import assert from 'node:assert/strict';
import { readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpTransport } from '../../src/client/http-transport.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { configMaps } from '../../src/client/resources.ts';
import type { WatchEventType } from '../../src/client/transport.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { isCode } from '../../src/lib/errors.ts';
import type { ConfigMap } from '../../src/types/kubernetes/generated/core-v1.ts';
import { StatusError } from '../../src/types/kubernetes/status.ts';
import { eventually, startTestDaemon, type TestDaemon } from './platform.ts';

/** So many times the daemon is killed; LONGSHORE_KILLS asks for more. */
const KILLS = Number(process.env.LONGSHORE_KILLS ?? 20);
const SEED = Number(process.env.LONGSHORE_SEED ?? 1);
const WRITERS = 4;
const KEYS = 6;

/** What a key held after an acknowledged write; undefined value: deleted, or never made. */
interface Known { readonly value: string | undefined; readonly version: number }
interface Acknowledged extends Known { readonly name: string }

let daemon: TestDaemon;
let transport: HttpTransport;

before(async () => {
  daemon = await startTestDaemon({ images: [] });
  transport = new HttpTransport({ config: await loadKubeconfig(daemon.environment.KUBECONFIG!), clock: systemClock });
});

after(async () => {
  transport.close();
  await daemon.close();
});

/** Numbers from 0 to 1, the same for each seed (a linear congruence). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** One client with keys of its own. It notes what was acknowledged, and what it could not know. */
class Writer {
  readonly known = new Map<string, Known>();
  readonly acknowledged: Acknowledged[] = [];
  /** The write that was under way when the daemon died: done or not. */
  doubt: { readonly name: string; readonly value: string | undefined } | undefined;
  readonly #prefix: string;
  readonly #next: () => number;
  #count = 0;

  constructor(prefix: string, next: () => number) {
    this.#prefix = prefix;
    this.#next = next;
  }

  /** Writes until the daemon is gone. */
  async run(): Promise<void> {
    for (;;) {
      const name = `${this.#prefix}-${Math.floor(this.#next() * KEYS)}`;
      const before = this.known.get(name)?.value;
      const kind = before === undefined ? 'create' : (['update', 'patch', 'delete'] as const)[Math.floor(this.#next() * 3)]!;
      const value = kind === 'delete' ? undefined : `${this.#prefix}.${this.#count++}`;
      this.doubt = { name, value };
      try {
        const version = Number((await this.#write(kind, name, value))?.metadata?.resourceVersion ?? 0);
        this.known.set(name, { value, version });
        this.acknowledged.push({ name, value, version });
        this.doubt = undefined;
      } catch (error) {
        if (error instanceof StatusError && error.status.code !== undefined && error.status.code < 500 && !isCode(error, 'unavailable')) {
          throw error;
        }
        return;
      }
    }
  }

  async #write(kind: 'create' | 'update' | 'patch' | 'delete', name: string, value: string | undefined): Promise<ConfigMap | undefined> {
    const body: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { value: value ?? '' } };
    if (kind === 'create') return await transport.create<ConfigMap>(configMaps, 'default', body);
    if (kind === 'update') return await transport.update<ConfigMap>(configMaps, 'default', name, body);
    if (kind === 'patch') return await transport.patch<ConfigMap>(configMaps, 'default', name, 'merge', { data: { value } });
    await transport.delete(configMaps, 'default', name);
    return undefined;
  }
}

/** What is wrong with the state after a restart, a sentence each; takes over what turned out to be done. */
async function losses(writers: readonly Writer[]): Promise<string[]> {
  const list = await transport.list<ConfigMap>(configMaps, 'default');
  const found = new Map(list.items.map((object) => [object.metadata!.name!, object]));
  const wrong: string[] = [];
  const newest = Number(list.metadata.resourceVersion);
  for (const writer of writers) {
    for (const [name, { value, version }] of writer.known) {
      const object = found.get(name);
      const now = object?.data?.value;
      const inDoubt = writer.doubt?.name === name && writer.doubt.value === now;
      if (now !== value && !inDoubt) wrong.push(`${name} holds ${now ?? 'nothing'} and not ${value ?? 'nothing'}`);
      if (now === value && object && version > 0 && Number(object.metadata!.resourceVersion) !== version) {
        wrong.push(`${name} has version ${object.metadata!.resourceVersion} and not ${version}`);
      }
      if (version > newest) wrong.push(`${name} was written at ${version}, and the newest version is ${newest}`);
    }
    if (writer.doubt) {
      const object = found.get(writer.doubt.name);
      writer.known.set(writer.doubt.name, { value: object?.data?.value, version: Number(object?.metadata?.resourceVersion ?? 0) });
      writer.doubt = undefined;
    }
  }
  return wrong;
}

/** All that a watch tells from `version` until an object of our own marks the end. */
async function historyFrom(version: string): Promise<{ readonly type: WatchEventType; readonly object: ConfigMap }[]> {
  const events: { type: WatchEventType; object: ConfigMap }[] = [];
  let failed: Error | undefined;
  const stop = transport.watch<ConfigMap>(configMaps, 'default', { resourceVersion: version }, {
    event: (type, object) => events.push({ type, object }),
    ended: (error) => (failed = error ?? new Error('the watch ended')),
  });
  const name = `end-${version}`;
  await transport.create<ConfigMap>(configMaps, 'default', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  try {
    await eventually('the watch has caught up', () => {
      if (failed) throw failed;
      return events.some(({ object }) => object.metadata?.name === name);
    });
  } finally {
    stop();
    await transport.delete(configMaps, 'default', name);
  }
  return events;
}

test(`${KILLS} kills at random moments: no acknowledged write is lost, and watches go on without a gap`, async (t) => {
  const next = numbers(SEED);
  const writers = Array.from({ length: WRITERS }, (_, n) => new Writer(`ack${n}`, numbers(SEED * 1000 + n)));
  let writes = 0;
  let slowest = 0;
  for (let round = 0; round < KILLS; round++) {
    const from = (await transport.list<ConfigMap>(configMaps, 'default')).metadata.resourceVersion!;
    for (const writer of writers) writer.acknowledged.length = 0;
    const running = Promise.all(writers.map((writer) => writer.run()));
    await sleep(20 + next() * 180);
    await daemon.kill();
    await running;
    slowest = Math.max(slowest, await daemon.restart());
    assert.deepEqual(await losses(writers), [], `after kill ${round + 1} of seed ${SEED}`);
    const told = await historyFrom(from);
    const versions = told.map(({ object }) => Number(object.metadata!.resourceVersion));
    assert.deepEqual(versions, versions.toSorted((a, b) => a - b), 'in the order of versions');
    const seen = new Set(told.map(({ type, object }) => `${object.metadata!.name} ${type === 'DELETED' ? '' : object.data?.value}`));
    for (const { name, value } of writers.flatMap(({ acknowledged }) => acknowledged)) {
      writes++;
      assert.ok(seen.has(`${name} ${value ?? ''}`), `the watch from ${from} tells of ${name} = ${value ?? 'deleted'}`);
    }
  }
  assert.ok(writes > KILLS * 10, `${writes} writes were acknowledged`);
  t.diagnostic(`${writes} acknowledged writes, seed ${SEED}; the slowest start took ${Math.round(slowest)} ms`);
});

test('the check finds a write that is lost', async () => {
  const writer = new Writer('control', numbers(7));
  const running = writer.run();
  await sleep(200);
  await daemon.kill();
  await running;
  writer.doubt = undefined; // Cut off with the rest, if it was done at all.
  await loseNewestWrites(daemon.home.store);
  await daemon.restart();
  assert.notDeepEqual(await losses([writer]), []);
});

/** Cuts the log before the frame that holds the tenth newest mention of the control's keys. */
async function loseNewestWrites(folder: string): Promise<void> {
  const logs = (await readdir(folder)).filter((name) => name.startsWith('wal-')).sort();
  const path = join(folder, logs.at(-1)!);
  const bytes = await readFile(path);
  let at = bytes.length;
  for (let mentions = 0; mentions < 10; mentions++) at = bytes.lastIndexOf('control-', at - 1);
  assert.ok(at > 0, 'the newest log holds the writes');
  await truncate(path, bytes.lastIndexOf('LSF1', at));
}
