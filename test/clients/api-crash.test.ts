/**
 * kill -9 of the API server at random moments, while clients write and watch. LONGSHORE_KILLS says how often (25), LONGSHORE_SEED from which seed.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { HttpTransport } from '../../src/client/http-transport.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { configMaps } from '../../src/client/resources.ts';
import type { ObjectList } from '../../src/client/transport.ts';
import { decodeHead, decodeRecords } from '../../src/control-plane/store/log/decode.ts';
import { HEAD_SALT } from '../../src/control-plane/store/log/encode.ts';
import { checkFrame, FRAME_HEADER_BYTES } from '../../src/control-plane/store/log/frame.ts';
import { walSequence } from '../../src/control-plane/store/log/segment.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { ConfigMap } from '../../src/types/kubernetes/generated/core-v1.ts';
import { History, NAMESPACE, Watched } from './api-history.ts';

const KILLS = Number(process.env.LONGSHORE_KILLS ?? 25);
const SEED = Number(process.env.LONGSHORE_SEED ?? 20_261);
const CLIENTS = 8;

let folder: string;

/** One bundle starts several times faster than some hundred source files. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-api-crash-'));
  await build({
    entryPoints: [join(import.meta.dirname, 'api-daemon.ts')],
    outfile: join(folder, 'api.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
});

after(() => rm(folder, { recursive: true, force: true }));

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Server {
  readonly #home: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #errors = '';

  constructor(home: string, port: number) {
    this.#home = home;
    this.#port = port;
  }

  spawn(): void {
    this.#child = spawn(process.execPath, [join(folder, 'api.mjs'), this.#home, String(this.#port)], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
  }

  async connect(): Promise<HttpTransport> {
    return new HttpTransport({ config: await loadKubeconfig(join(this.#home, 'kubeconfig')), clock: systemClock });
  }

  async ready(): Promise<HttpTransport> {
    const child = this.#child!;
    await Promise.race([once(child.stdout!, 'data'), once(child, 'exit').then(() => assert.fail(`it did not start: ${this.#errors}`))]);
    return this.connect();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function begin(t: TestContext): Promise<{ readonly home: string; readonly server: Server }> {
  const home = await mkdtemp(join(folder, 'home-'));
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  const server = new Server(home, port);
  t.after(() => server.kill());
  server.spawn();
  return { home, server };
}

const listAll = (transport: HttpTransport): Promise<ObjectList<ConfigMap>> => transport.list<ConfigMap>(configMaps, NAMESPACE);

test(`${KILLS} kills at random moments lose no acknowledged write, and a watch goes on without gaps`, { timeout: 30_000 + KILLS * 5000 }, async (t) => {
  const random = seeded(SEED);
  const { server } = await begin(t);
  const history = new History(random);
  const watched = new Watched();
  let atStart = 0;
  for (let kill = 0; kill <= KILLS; kill++) {
    if (kill > 0) server.spawn();
    if (kill > 0 && random() < 0.2) {
      // In the midst of the recovery.
      await sleep(random() * 400);
      await server.kill();
      atStart++;
      continue;
    }
    const transport = await server.ready();
    const list = await listAll(transport);
    history.check(list);
    if (kill === 0) watched.start(list);
    const stop = watched.resume(transport);
    await watched.agrees(list);
    history.checkWatch(watched);
    if (kill === KILLS) {
      stop();
      transport.close();
      break;
    }
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => server.connect()));
    const writing = Promise.all(clients.map((client, n) => history.write(client, n)));
    await Promise.race([sleep(5 + random() ** 2 * 250), writing]);
    await server.kill();
    await writing;
    stop();
    for (const client of [transport, ...clients]) client.close();
  }
  t.diagnostic(`${history.writes} acknowledged writes, ${watched.seen.size} events, ${atStart} kills during a start, seed ${SEED}`);
  assert.ok(history.writes > KILLS * 10);
});

/** Cuts the log just before the write of this revision. */
async function loseFrom(state: string, revision: number): Promise<void> {
  for (const name of (await readdir(state)).filter((each) => walSequence(each) !== undefined).sort()) {
    const path = join(state, name);
    const bytes = await readFile(path);
    const head = checkFrame(bytes, 0, HEAD_SALT);
    assert.equal(head.state, 'whole');
    const { salt } = decodeHead(bytes, FRAME_HEADER_BYTES, path);
    let at = head.state === 'whole' ? head.end : 0;
    for (let frame = checkFrame(bytes, at, salt); frame.state === 'whole'; frame = checkFrame(bytes, at, salt)) {
      let holds = false;
      decodeRecords(bytes, at + FRAME_HEADER_BYTES, frame.end, {
        txn: (each) => (holds ||= each >= revision),
        compact: () => {},
        key: () => {},
        end: () => {},
      });
      if (holds) {
        await using file = await open(path, 'r+');
        await file.truncate(at);
        return;
      }
      at = frame.end;
    }
  }
  assert.fail(`the log has no revision ${revision}`);
}

test('the check catches a store that loses the last acknowledged write, one that goes back, and a watch with a gap', async (t) => {
  const { home, server } = await begin(t);
  const history = new History(seeded(SEED));
  const watched = new Watched();
  const transport = await server.ready();
  watched.start(await listAll(transport));
  const stop = watched.resume(transport);
  const writing = history.write(transport, 0);
  while (history.writes < 30) await sleep(5);
  await server.kill();
  await writing;
  stop();
  transport.close();
  await loseFrom(join(home, 'state'), history.newest);
  server.spawn();
  const again = await server.ready();
  const list = await listAll(again);
  assert.throws(() => history.check(list), /but \d+ was acknowledged|is not what was acknowledged/);
  // The lost revision is given out anew, to somebody else: by its number alone the loss does not show.
  for (const name of ['other-1', 'other-2', 'other-3']) {
    await again.create<ConfigMap>(configMaps, NAMESPACE, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  }
  const later = await listAll(again);
  assert.throws(() => history.check(later), /is not what was acknowledged/);
  again.close();

  watched.seen.delete(history.newest);
  await assert.rejects(watched.agrees(later, 300), /the watch adds up to the list/);
});
