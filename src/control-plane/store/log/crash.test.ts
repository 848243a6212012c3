import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../lib/clock.ts';
import { isCode } from '../../../lib/errors.ts';
import { silentLogger } from '../../../lib/log.ts';
import type { Store, WatchEvent } from '../store.ts';
import { openLogStore } from './open-log-store.ts';

const WRITER = fileURLToPath(import.meta.resolve('./crash-writer.ts'));
/** More than any run gets to before it is killed. */
const ENDLESS = 100_000;

async function temporaryFolder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'longshore-crash-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const open = (path: string): Promise<Store> => openLogStore({ path, clock: systemClock, logger: silentLogger });

interface Run {
  readonly lines: readonly string[];
  readonly signal: string | null;
}

/** Runs a writer, under strace if arguments for it are given, until it ends, or is killed after so many lines. */
function run(path: string, seed: string, count: number, strace: readonly string[] = [], killAfterLines = Infinity): Promise<Run> {
  const command = [process.execPath, WRITER, path, seed, String(count)];
  // strace counts calls by thread: with one pool thread, its N is the process's N.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '' };
  const [program, ...args] = strace.length === 0 ? command : ['strace', '-f', '-qq', ...strace, ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let lines = 0;
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      lines += text.split('\n').length - 1;
      if (lines >= killAfterLines) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code !== 0 && signal === null) reject(new Error(`the writer ended with code ${code}: ${errors}`));
      // A last line may be torn by the kill: its write was not told.
      else resolve({ lines: out.split('\n').slice(0, -1), signal });
    });
  });
}

const killAt = (call: string, n: number): string[] => ['-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${n}`];

/** What the store held at which revision, as far as it was told by one or more runs. */
class Told {
  readonly acks = new Map<number, { readonly key: string; readonly value: string }>();
  compacted = 1;

  add({ lines }: Run): void {
    for (const line of lines) {
      const [word, revision, key, value] = line.split(' ');
      if (word === 'ack') this.acks.set(Number(revision), { key: key!, value: value! });
      if (word === 'compacted') this.compacted = Math.max(this.compacted, Number(revision));
    }
  }

  /** Opens what is left: no told write may be missing, and history must be without gaps. */
  async check(path: string): Promise<void> {
    const store = await open(path);
    try {
      const newest = Math.max(1, ...this.acks.keys());
      assert.ok(store.revision >= newest, `revision ${store.revision} is left, but ${newest} was acknowledged`);
      assert.ok(store.compactedRevision >= this.compacted);
      const events: WatchEvent[] = [];
      store.watch({ prefix: '', fromRevision: store.compactedRevision }, { events: (more) => events.push(...more), ended: () => assert.fail('ended') });
      while ((events.at(-1)?.kv.modRevision ?? 1) < store.revision) await new Promise((resolve) => setImmediate(resolve));
      const first = Math.max(store.compactedRevision, 2);
      assert.deepEqual(events.map((event) => event.kv.modRevision), Array.from({ length: store.revision - first + 1 }, (_, n) => first + n));
      const history = new Map(events.map((event) => [event.kv.modRevision, event.kv]));
      const heads = new Map<string, { readonly revision: number; readonly value: string }>();
      for (const [revision, { key, value }] of [...this.acks].sort(([a], [b]) => a - b)) {
        heads.set(key, { revision, value });
        const kv = history.get(revision);
        if (revision >= first) assert.deepEqual([kv?.key, Buffer.from(kv!.value).toString()], [key, value], `revision ${revision}`);
      }
      for (const [key, { revision, value }] of heads) {
        const kv = store.get(key);
        assert.ok(kv !== undefined && kv.modRevision >= revision, `${key} fell back`);
        if (kv.modRevision === revision) assert.equal(Buffer.from(kv.value).toString(), value);
      }
    } finally {
      await store.close();
    }
  }
}

describe('kill -9', { concurrency: 2 }, () => {
  for (const [call, times] of [
    ['fdatasync', [1, 2, 3, 7]],
    ['fsync', [1, 2, 3, 4, 5]],
    ['pwrite64', [1, 2, 3, 7, 10, 20, 33, 45, 70, 90]],
    ['rename', [1]],
    ['unlink', [1, 2, 3]],
  ] as const) {
    for (const n of times) {
      test(`at ${call} number ${n} loses no acknowledged write`, async (t) => {
        const path = await temporaryFolder(t);
        const told = new Told();
        const killed = await run(path, `${call}${n}`, ENDLESS, killAt(call, n));
        assert.equal(killed.signal, 'SIGKILL');
        told.add(killed);
        await told.check(path);
        const second = await run(path, 'second', 5);
        assert.equal(second.lines.at(-1), 'closed');
        told.add(second);
        await told.check(path);
      });
    }
  }

  test('again and again at any moment loses no acknowledged write', async (t) => {
    const path = await temporaryFolder(t);
    const told = new Told();
    for (const [n, lines] of [1, 700, 35, 260, 3, 480].entries()) {
      const killed = await run(path, `run${n}`, ENDLESS, [], lines);
      assert.equal(killed.signal, 'SIGKILL');
      told.add(killed);
      await told.check(path);
    }
    assert.ok(told.acks.size > 1_000);
  });
});

/**
 * The system calls of a run, in the order in which they ended: `call(arguments)`, paths shown beside descriptors. Those
 * during which others ended stand there as `begun:call(arguments` as well.
 */
async function trace(path: string, out: string, count: number): Promise<string[]> {
  await run(path, 'traced', count, ['-o', out, '-y', '-s', '24', '-e', 'trace=openat,pwrite64,fdatasync,fsync,rename,unlink,write,ftruncate']);
  const begun = new Map<string, string>();
  const calls: string[] = [];
  for (const line of (await readFile(out, 'utf8')).split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest);
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (unfinished !== null) {
      begun.set(thread, unfinished[1]!);
      calls.push(`begun:${unfinished[1]!}`);
    } else calls.push(resumed === null ? rest : `${begun.get(thread)}${resumed[1]}`);
  }
  return calls;
}

describe('what is asked of the kernel', () => {
  test('each answer comes after the sync of its write; names are synced before they are relied upon', async (t) => {
    const path = await temporaryFolder(t);
    const calls = await trace(path, join(path, 'trace'), 60);
    /** Files with writes that are not synced; names that are not. */
    const dirty = new Set<string>();
    const newNames = new Set<string>();
    /** Files in which each write is synced as it is made. */
    const synced = new Set<string>();
    const seen = { acks: 0, files: new Set<string>(), snapshots: 0, removed: 0 };
    for (const call of calls) {
      const [, name = '', args = ''] = /^([\w:]+)\((.*)$/.exec(call) ?? [];
      const file = /<([^>]*)>/.exec(args)?.[1] ?? '';
      const base = file.slice(path.length + 1);
      const mine = file.startsWith(`${path}/`) && base !== 'lock' && base !== 'lock-journal';
      if (name === 'pwrite64' && mine) {
        if (!seen.files.has(file)) newNames.add(file);
        else if (base.startsWith('wal-')) assert.ok(!newNames.has(file), `${base} is used before its name was synced`);
        seen.files.add(file);
        if (synced.has(file)) dirty.delete(file);
        else dirty.add(file);
      } else if (name === 'begun:pwrite64' && mine) {
        dirty.add(file);
      } else if (name === 'openat' && args.includes('O_DSYNC')) {
        synced.add(/= \d+<([^>]*)>$/.exec(args)?.[1] ?? '');
      } else if (name === 'fdatasync') {
        dirty.delete(file);
      } else if (name === 'fsync' && file === path) {
        newNames.clear();
      } else if (name === 'rename') {
        assert.equal([...dirty].filter((other) => other.endsWith('.tmp')).length, 0, 'a snapshot gets its name before it is synced');
        newNames.add('snapshot');
        seen.snapshots++;
      } else if (name === 'unlink' && args.includes('wal-')) {
        assert.ok(!newNames.has('snapshot'), 'a log file is removed before the name of its snapshot was synced');
        seen.removed++;
      } else if (name === 'write' && args.includes('"ack ')) {
        assert.deepEqual([...dirty].filter((other) => other.includes('wal-')), [], `answered before the sync: ${args}`);
        seen.acks++;
      }
    }
    assert.equal(seen.acks, 240);
    assert.ok(seen.snapshots > 0 && seen.removed > 0 && seen.files.size > 4, 'the run reaches all that is to be checked');
  });

  for (const [call, when] of [
    ['pwrite64', '12..14'],
    ['pwrite64', '9..10'],
    ['pwrite64', '20+3'],
  ] as const) {
    test(`a full disk (${call} ${when}) is told as exhausted, and loses nothing`, async (t) => {
      const path = await temporaryFolder(t);
      const told = new Told();
      const result = await run(path, 'full', 30, ['-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:error=ENOSPC:when=${when}`]);
      told.add(result);
      const failed = result.lines.filter((line) => line.startsWith('fail '));
      assert.ok(failed.length > 0 && failed.every((line) => line.startsWith('fail exhausted')), failed.join('\n'));
      assert.ok(
        result.lines.lastIndexOf('closed') > 0 &&
          result.lines.findLastIndex((line) => line.startsWith('ack ')) > result.lines.indexOf(failed[0]!),
        'goes on',
      );
      await told.check(path);
      const store = await open(path);
      const refused = new Set(failed.map((line) => line.split(' ')[3]));
      for (const kv of store.range('k', 'l').entries) assert.ok(!refused.has(Buffer.from(kv.value).toString()));
      assert.equal(store.revision, told.acks.size + 1);
      await store.close();
    });
  }
});

test('a small disk that fills up: writes are refused, earlier ones are whole, and it goes on when there is room', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'longshore-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'longshore-test', path]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  let store: Store | undefined;
  t.after(async () => {
    await store?.close();
    spawnSync('umount', [path]);
    await rm(path, { recursive: true });
  });
  const folder = join(path, 'store');
  store = await openLogStore({ path: folder, clock: systemClock, logger: silentLogger, segmentBytes: 20_000, checkpointBytes: 1 });
  const put = async (key: string): Promise<boolean> => {
    try {
      await store!.txn({ compare: [], success: [{ type: 'put', key, value: Buffer.alloc(1_000, key) }] });
      return true;
    } catch (error) {
      assert.ok(isCode(error, 'exhausted') && (error as Error).message.includes(folder), String(error));
      return false;
    }
  };
  const kept: string[] = [];
  for (let n = 0; n < 300; n++) if (await put(`k${n % 20}-${n}`)) kept.push(`k${n % 20}-${n}`);
  assert.ok(kept.length > 100 && kept.length < 260, `${kept.length} found room`);
  assert.equal(store.range('k', 'l').count, kept.length);
  assert.equal(spawnSync('mount', ['-o', 'remount,size=4m', path]).status, 0);
  assert.equal(await put('later'), true);
  await store.close();
  store = await open(folder);
  for (const key of kept) assert.ok(Buffer.alloc(1_000, key).equals(store.get(key)!.value));
  assert.equal(store.range('k', 'l').count, kept.length);
  assert.equal(store.revision, kept.length + 2);
});
