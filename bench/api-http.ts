// The API server alone over the memory store: what a request costs with TLS and HTTP, without disk, controllers and scheduler.
// `node bench/api-http.ts [ROWS]` measures the rows whose names the regular expression finds, or all; needs wrk and
// h2load. Flags for node go to the server as well
// (`node --cpu-prof --cpu-prof-dir=/tmp/x bench/api-http.ts 'create Pod'` writes its profile). Beside each rate stands
// the server's processor time for a request, which other load on the machine does not change much.
import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { applyPatch, trackUpdate } from '../src/control-plane/api/apply/apply.ts';
import { openRegistry } from '../src/control-plane/api/registry/open.ts';
import { kubernetesRules } from '../src/control-plane/api/rules/rules.ts';
import { openApiServer } from '../src/control-plane/api/server.ts';
import { openMemoryStore } from '../src/control-plane/store/memory-store.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/log.ts';
import { systemRandom } from '../src/lib/random.ts';
import { RESOURCES } from '../src/types/kubernetes/generated/resources.ts';

const TOKEN = 'bench-token';
const SECONDS = 4;
const PODS = 3000;
const TICKS_PER_SECOND = 100;
const ONLY = new RegExp(process.argv[2] ?? '');
const NAMESPACE = '/api/v1/namespaces/bench-list';
const run = promisify(execFile);

/** The server, in a process of its own: clients must not share its thread. */
async function serve(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-bench-'));
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const started = performance.now();
  const store = await openMemoryStore();
  const api = await openApiServer({
    openRegistry: ({ admission }) =>
      openRegistry({ store, rules: kubernetesRules, admission, applyPatch, trackUpdate, serviceCidr: '10.96.0.0/16', ...parts }),
    resources: RESOURCES,
    address: '127.0.0.1',
    port: 0,
    pkiFolder: folder,
    serviceCidr: '10.96.0.0/16',
    staticTokens: new Map([[TOKEN, { name: 'bench', groups: ['system:masters'] }]]),
    ...parts,
  });
  process.send!({ port: api.port, startMs: performance.now() - started });
  await once(process, 'message');
  await api.close();
  await rm(folder, { recursive: true });
  process.exit(0);
}

/** Processor time that a process has used, user and system, in seconds (Linux). */
async function processorSeconds(child: ChildProcess): Promise<number> {
  const fields = (await readFile(`/proc/${child.pid!}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function print(what: string, requests: number, seconds: number, processor: number): void {
  console.log(
    `${what.padEnd(46)} ${Math.round(requests / seconds)
      .toLocaleString('en')
      .padStart(10)} /s ${((processor / requests) * 1e6).toFixed(0).padStart(8)} µs of the server each`,
  );
}

async function measure(child: ChildProcess, what: string, command: string, args: readonly string[]): Promise<void> {
  if (!ONLY.test(what)) return;
  const before = await processorSeconds(child);
  const { stdout } = await run(command, args, { maxBuffer: 1 << 24 });
  const processor = (await processorSeconds(child)) - before;
  const requests = command === 'wrk' ? /(\d+) requests in/.exec(stdout) : /status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx/.exec(stdout);
  if (requests === null || /Non-2xx|status \d/.test(stdout.replace('status codes', ''))) {
    throw new Error(`${what} met errors:\n${stdout.slice(0, 800)}`);
  }
  print(what, Number(requests[1]), SECONDS, processor);
}

async function prepare(port: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
  const post = (path: string, body: unknown): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port,
          method: 'POST',
          path,
          agent,
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        },
        (response) => {
          response
            .resume()
            .on('end', () =>
              response.statusCode === 201 ? resolve() : reject(new Error(`POST ${path} answered ${response.statusCode ?? 0}`)),
            );
        },
      );
      request.on('error', reject).end(JSON.stringify(body));
    });
  await post('/api/v1/namespaces', { metadata: { name: 'bench-list' } });
  for (const namespace of ['default', 'bench-list']) {
    await post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } });
  }
  const env = Array.from({ length: 10 }, (_, n) => ({ name: `E${n}`, value: `value${n}` }));
  const pod = (n: number): unknown => ({
    metadata: { name: `pod-${n}`, labels: { app: `a${n % 100}` } },
    spec: {
      schedulerName: 'nobody',
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'busybox', env, resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
    },
  });
  for (let n = 1; n <= PODS; n += 16) {
    await Promise.all(Array.from({ length: Math.min(16, PODS - n + 1) }, (_, k) => post(`${NAMESPACE}/pods`, pod(n + k))));
  }
  agent.destroy();
}

async function main(): Promise<void> {
  const child = fork(import.meta.filename, ['serve']);
  try {
    const [{ port, startMs }] = await once(child, 'message') as [{ port: number; startMs: number }];
    console.log(`${'start until it answers'.padEnd(46)} ${startMs.toFixed(0).padStart(10)} ms`);
    await prepare(port);
    const url = `https://127.0.0.1:${port}`;
    const load = (script: string): string => join(import.meta.dirname, 'load', script);
    const wrk = (what: string, ...args: readonly string[]): Promise<void> =>
      measure(child, what, 'wrk', ['-t1', '-c32', `-d${SECONDS}s`, ...args]);
    const h2load = (what: string, path: string, ...shape: readonly string[]): Promise<void> =>
      measure(child, what, 'h2load', ['-t1', '-D', String(SECONDS), ...shape, '-H', `Authorization: Bearer ${TOKEN}`, url + path]);
    await h2load('GET of a Pod, HTTP/1.1, 32 connections', `${NAMESPACE}/pods/pod-7`, '-c32', '--h1');
    await h2load('GET of a Pod, HTTP/2, 8 connections of 4 streams', `${NAMESPACE}/pods/pod-7`, '-c8', '-m4');
    await h2load('GET of a Pod, HTTP/2, 32 connections of 1 stream', `${NAMESPACE}/pods/pod-7`, '-c32', '-m1');
    await h2load(`LIST of ${PODS} pods, HTTP/1.1, 8 connections`, `${NAMESPACE}/pods`, '-c8', '--h1');
    await h2load(`LIST of ${PODS} pods, HTTP/2, 8 connections`, `${NAMESPACE}/pods`, '-c8', '-m1');
    await h2load('LIST by a label that 1 % have, HTTP/1.1', `${NAMESPACE}/pods?labelSelector=app%3Da7`, '-c32', '--h1');
    await wrk('merge patch of a Pod', '-s', load('patch.lua'), url, '--', TOKEN, 'pod', String(PODS));
    await wrk('create ConfigMap 1 KB', '-s', load('create.lua'), url, '--', TOKEN, 'configmaps', 'bench');
    await wrk('create Pod', '-s', load('create.lua'), url, '--', TOKEN, 'pods', 'bench');
  } finally {
    child.send('stop');
    await once(child, 'exit');
  }
}

await (process.argv[2] === 'serve' ? serve() : main());
