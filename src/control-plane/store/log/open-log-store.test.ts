import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, readdir, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { storeContract } from '../../../../test/contract/store.ts';
import { systemClock } from '../../../lib/clock.ts';
import { LongshoreError, isCode } from '../../../lib/errors.ts';
import { createLogger, silentLogger } from '../../../lib/log.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Store, TxnResult } from '../store.ts';
import { openLogStore } from './open-log-store.ts';
import type { LogStoreTuning } from './open-log-store.ts';

/** Many files and snapshots, from little data. */
const SMALL: LogStoreTuning = { segmentBytes: 2_000, checkpointBytes: 4_000 };

/** What a test has opened; closed before its folder goes. */
const stores = new Map<string, Store[]>();

async function temporaryFolder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'longshore-store-'));
  t.after(async () => {
    for (const store of stores.get(path) ?? []) await store.close();
    await rm(path, { recursive: true, force: true });
  });
  return path;
}

const open = (path: string, tuning: LogStoreTuning = {}, logger: Logger = silentLogger): Promise<Store> =>
  openLogStore({ path, clock: systemClock, logger, ...tuning });

for (const [name, tuning] of [['log', {}], ['log in small pieces', SMALL]] as const) {
  const paths = new WeakMap<Store, string>();
  const opened = async (path: string): Promise<Store> => {
    const store = await open(path, tuning);
    stores.set(path, [...(stores.get(path) ?? []), store]);
    paths.set(store, path);
    return store;
  };
  storeContract(name, {
    open: async (t) => opened(await temporaryFolder(t)),
    reopen: async (store) => {
      await store.close();
      return opened(paths.get(store)!);
    },
  });
}

const put = (store: Store, key: string, value: string): Promise<TxnResult> =>
  store.txn({ compare: [], success: [{ type: 'put', key, value: Buffer.from(value) }] });
const text = (store: Store, key: string): string | undefined => {
  const kv = store.get(key);
  return kv && Buffer.from(kv.value).toString();
};

/** A store with k0 to k<count-1>, closed. */
async function written(t: TestContext, count: number, tuning: LogStoreTuning = {}): Promise<string> {
  const path = await temporaryFolder(t);
  const store = await open(path, tuning);
  for (let n = 0; n < count; n++) await put(store, `k${n}`, `value ${n}`);
  await store.close();
  return path;
}

const refused = (path: string, pattern: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof LongshoreError && error.code === 'internal', String(error));
  assert.match(error.message, pattern);
  assert.ok(error.message.includes(path) && error.remedy !== undefined);
  return true;
};

describe('the files of the log store', () => {
  test('can be read by their owner alone', async (t) => {
    const path = join(await temporaryFolder(t), 'deep', 'store');
    const store = await open(path);
    t.after(() => store.close());
    assert.equal((await stat(path)).mode & 0o777, 0o700);
    assert.equal((await stat(join(path, 'wal-0000000001'))).mode & 0o777, 0o600);
  });

  test('snapshots bound the log: what they replace goes', async (t) => {
    const path = await temporaryFolder(t);
    let store = await open(path, SMALL);
    const bytes = async (): Promise<number> => {
      let sum = 0;
      for (const name of await readdir(path)) sum += (await stat(join(path, name))).size;
      return sum;
    };
    for (let n = 0; n < 2_000; n++) {
      await put(store, `k${n % 20}`, `value ${n}`);
      if (n % 50 === 49) await store.compact(store.revision - 10);
    }
    await store.close();
    assert.ok((await bytes()) < 40_000, `${await bytes()} bytes are left of some 100,000`);
    assert.equal((await readdir(path)).filter((name) => name.startsWith('snapshot-')).length, 1);
    store = await open(path, SMALL);
    t.after(() => store.close());
    assert.equal(store.revision, 2_001);
    for (let n = 0; n < 20; n++) assert.equal(text(store, `k${n}`), `value ${1_980 + n}`);
  });

  test('a second opener is refused, in this process and in another, until the first has closed', async (t) => {
    const path = await temporaryFolder(t);
    const store = await open(path);
    t.after(() => store.close());
    const inUse = (error: unknown): boolean =>
      isCode(error, 'conflict') && (error as Error).message.includes(path) && (error as LongshoreError).remedy !== undefined;
    await assert.rejects(open(path), inUse);
    const script = `
      import { openLogStore } from ${JSON.stringify(import.meta.resolve('./open-log-store.ts'))};
      import { systemClock } from ${JSON.stringify(import.meta.resolve('../../../lib/clock.ts'))};
      import { silentLogger } from ${JSON.stringify(import.meta.resolve('../../../lib/log.ts'))};
      const options = { path: ${JSON.stringify(path)}, clock: systemClock, logger: silentLogger };
      const store = await openLogStore(options).catch((error) => process.stdout.write(error.code));
      await store.close?.();`;
    const other = (): string => String(spawnSync(process.execPath, ['--input-type=module', '-e', script]).stdout);
    assert.equal(other(), 'conflict');
    await put(store, 'a', '1');
    await store.close();
    assert.equal(other(), '');
    const again = await open(path);
    t.after(() => again.close());
    assert.equal(text(again, 'a'), '1');
  });

  test('a folder that cannot be is refused with its name', async (t) => {
    const path = join(await temporaryFolder(t), 'file');
    await writeFile(path, '');
    await assert.rejects(open(path), (error) => isCode(error, 'unavailable') && (error as LongshoreError).object === path);
  });
});

describe('damage to the log', () => {
  test('a last write torn at any byte is cut, reported, and written over', async (t) => {
    const path = await written(t, 5);
    const file = join(path, 'wal-0000000001');
    const whole = await readFile(file);
    const store = await open(path);
    await put(store, 'last', 'x');
    await store.close();
    const longer = await readFile(file);
    for (let size = whole.length + 1; size < longer.length; size++) {
      await writeFile(file, longer.subarray(0, size));
      const lines: string[] = [];
      const cut = await open(path, {}, createLogger((line) => lines.push(line), () => 0));
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, new RegExp(`warn cut a torn write .*file=${file} offset=${whole.length} bytes=${size - whole.length} revision=6`));
      assert.deepEqual([cut.revision, text(cut, 'last'), text(cut, 'k4')], [6, undefined, 'value 4']);
      assert.equal((await put(cut, 'other', 'y')).revision, 7);
      await cut.close();
      const again = await open(path);
      assert.deepEqual([again.revision, text(again, 'other'), text(again, 'last')], [7, 'y', undefined]);
      await again.close();
    }
  });

  test('a flipped bit in the last write, or zeros and rubbish behind it, are cut', async (t) => {
    const path = await written(t, 5);
    const file = join(path, 'wal-0000000001');
    const whole = await readFile(file);
    const lastFrame = whole.lastIndexOf('LSF1');
    for (const at of [lastFrame + 5, lastFrame + 9, lastFrame + 14, whole.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 4;
      await writeFile(file, flipped);
      const store = await open(path);
      assert.deepEqual([store.revision, text(store, 'k3'), text(store, 'k4')], [5, 'value 3', undefined], `byte ${at}`);
      await store.close();
      await writeFile(file, whole);
    }
    const foreign = await readFile(join(await written(t, 5), 'wal-0000000001'));
    for (const tail of [Buffer.alloc(5_000), Buffer.from('LSF1'), foreign.subarray(40)]) {
      await appendFile(file, tail);
      const store = await open(path);
      assert.equal(store.revision, 6);
      await store.close();
      assert.equal((await stat(file)).size, whole.length);
    }
  });

  test('damage with intact writes behind it is refused, and the files stay as they are', async (t) => {
    const path = await written(t, 5);
    const file = join(path, 'wal-0000000001');
    const whole = await readFile(file);
    const second = whole.indexOf('LSF1', whole.indexOf('LSF1', 1) + 1);
    for (const at of [second, second + 4, second + 8, second + 13]) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1;
      await writeFile(file, flipped);
      await assert.rejects(open(path), refused(path, /wal-0000000001 is damaged at byte \d+, with intact writes behind it/));
      assert.ok(flipped.equals(await readFile(file)));
    }
  });

  test('a missing, shortened or headless file in the midst is refused', async (t) => {
    const path = await written(t, 300, { segmentBytes: 2_000 });
    const names = (await readdir(path)).filter((name) => name.startsWith('wal-')).sort();
    assert.ok(names.length > 4);
    const file = join(path, names[1]!);
    const whole = await readFile(file);
    await truncate(file, whole.length - 10);
    await assert.rejects(open(path), refused(path, /is damaged at byte/));
    await writeFile(file, Buffer.concat([Buffer.alloc(30), whole.subarray(30)]));
    await assert.rejects(open(path), refused(path, /head of wal-0000000002/));
    await unlink(file);
    await assert.rejects(open(path), refused(path, /begins after revision/));
    await writeFile(file, whole);
    const store = await open(path);
    t.after(() => store.close());
    assert.equal(store.revision, 301);
  });

  test('a log file that a crash left with a torn head is removed', async (t) => {
    const path = await written(t, 5);
    const head = (await readFile(join(path, 'wal-0000000001'))).subarray(0, 20);
    await writeFile(join(path, 'wal-0000000002'), head);
    await writeFile(join(path, 'snapshot-0000000000000003.tmp'), 'half');
    const store = await open(path);
    t.after(() => store.close());
    assert.equal((await put(store, 'a', '1')).revision, 7);
    assert.deepEqual((await readdir(path)).sort(), ['lock', 'wal-0000000001', 'wal-0000000003']);
  });

  test('a damaged snapshot, one without its log, and an unknown layout are refused', async (t) => {
    const path = await temporaryFolder(t);
    const store = await open(path, SMALL);
    for (let n = 0; n < 200; n++) await put(store, `k${n % 9}`, `value ${n}`);
    await store.compact(store.revision);
    let snapshot: string | undefined;
    for (let n = 0; snapshot === undefined && n < 500; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      snapshot = (await readdir(path)).find((name) => /^snapshot-\d+$/.test(name));
    }
    await store.close();
    const file = join(path, snapshot!);
    const whole = await readFile(file);
    await truncate(file, whole.length - 1);
    await assert.rejects(open(path), refused(path, /the snapshot snapshot-\d+ is damaged/));
    await writeFile(file, whole);
    for (const name of await readdir(path)) if (name.startsWith('wal-')) await unlink(join(path, name));
    await assert.rejects(open(path), refused(path, /no log/));
  });

  test('a value that holds a copy of the log is not taken for a part of it', async (t) => {
    const path = await written(t, 3);
    const file = join(path, 'wal-0000000001');
    const whole = await readFile(file);
    let store = await open(path);
    await store.txn({ compare: [], success: [{ type: 'put', key: 'forged', value: whole }] });
    await store.close();
    const size = (await stat(file)).size;
    await truncate(file, size - 1);
    // The frames in the value carry this very file's salt, which nobody else knows: the strictest reading is right.
    await assert.rejects(open(path), refused(path, /intact writes behind it/));
    const fresh = await temporaryFolder(t);
    store = await open(fresh);
    await store.txn({ compare: [], success: [{ type: 'put', key: 'forged', value: whole }] });
    await store.close();
    await truncate(join(fresh, 'wal-0000000001'), (await stat(join(fresh, 'wal-0000000001'))).size - 1);
    store = await open(fresh);
    t.after(() => store.close());
    assert.equal(store.revision, 1);
  });
});
