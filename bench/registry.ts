// The registry alone, in-process over the memory store: what a request costs without TLS, HTTP and disk.
import { systemClock } from '../src/lib/clock.ts';
import { silentLogger } from '../src/lib/log.ts';
import { systemRandom } from '../src/lib/random.ts';
import { openMemoryStore } from '../src/control-plane/store/memory-store.ts';
import { openRegistry } from '../src/control-plane/api/registry/open.ts';
import { applyPatch, trackUpdate } from '../src/control-plane/api/apply/apply.ts';
import { kubernetesRules } from '../src/control-plane/api/rules/rules.ts';
import { parseJson } from '../src/control-plane/api/codec/json.ts';
import type { RequestContext } from '../src/control-plane/api/contract.ts';
import { RESOURCES } from '../src/types/kubernetes/generated/resources.ts';
import type { ResourceInfo } from '../src/types/kubernetes/resource-info.ts';

const find = (resource: string): ResourceInfo => RESOURCES.find((row) => row.group === '' && row.resource === resource)!;
const configMaps = find('configmaps');
const pods = find('pods');
const context = (): RequestContext => ({ user: { name: 'bench', groups: [] }, warnings: [] });

const configMapBody = (name: string): Buffer =>
  Buffer.from(
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { app: 'bench' } }, data: { text: 'x'.repeat(900) } }),
  );
const podBody = (name: string, percent: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: 'bench', group: String(percent) } },
      spec: {
        containers: [
          {
            name: 'app',
            image: 'registry.example/app:1',
            command: ['/app', '--serve'],
            env: [
              { name: 'A', value: '1' },
              { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            ],
            ports: [{ containerPort: 8080, name: 'http' }],
            resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
            readinessProbe: { httpGet: { path: '/healthz', port: 8080 } },
          },
        ],
      },
    }),
  );

/** Runs `work` for each of `count`, `parallel` at a time; tells operations per second. */
async function rate(what: string, count: number, parallel: number, work: (n: number) => unknown): Promise<void> {
  let next = 0;
  const start = performance.now();
  await Promise.all(Array.from({ length: parallel }, async () => {
    while (next < count) await work(next++);
  }));
  const ms = performance.now() - start;
  console.log(`${what.padEnd(46)} ${Math.round((count / ms) * 1000).toLocaleString('en').padStart(12)} /s ${((ms * 1000) / count).toFixed(1).padStart(10)} µs`);
}

const store = await openMemoryStore();
const registry = await openRegistry({
  store,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
  admission: [],
  rules: kubernetesRules,
  applyPatch,
  trackUpdate,
});
await registry.create(context(), find('namespaces'), undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }, {});

const body = configMapBody('x');
await rate('parse 1 KB of JSON', 50_000, 1, () => parseJson(body));
for (const round of ['cold', 'warm']) {
  await rate(`create ConfigMap 1 KB (${round})`, 10_000, 32, (n) =>
    registry.create(context(), configMaps, 'default', parseJson(configMapBody(`${round}-${n}`)).value, { fieldManager: 'bench' }),
  );
}
await rate('create Pod', 10_000, 32, (n) =>
  registry.create(context(), pods, 'default', parseJson(podBody(`pod-${n}`, n % 100)).value, { fieldManager: 'bench' }),
);
await rate('get', 1_000_000, 1, (n) => void registry.get(context(), pods, 'default', `pod-${n % 3000}`));
await rate('merge patch of one Pod', 10_000, 32, (n) =>
  registry.patch(context(), pods, 'default', 'pod-1', { type: 'merge', body: { metadata: { annotations: { n: String(n) } } } }, {}),
);
await rate('merge patch of many Pods', 10_000, 32, (n) =>
  registry.patch(context(), pods, 'default', `pod-${n}`, { type: 'merge', body: { metadata: { annotations: { n: String(n) } } } }, {}),
);
await rate('list 10,000 pods, bytes joined', 200, 1, async () =>
  Buffer.concat((await registry.list(context(), pods, 'default', {})).items.map((item) => item.json())),
);
await rate('list by a 1 % label', 20_000, 1, () => registry.list(context(), pods, 'default', { labelSelector: 'group=7' }));
let delivered = 0;
const stops = Array.from({ length: 100 }, () =>
  registry.watch(
    context(),
    pods,
    'default',
    { resourceVersion: String(registry.revision) },
    { event: (_type, object) => void (delivered += object.json().length), ended: () => {} },
  ),
);
await rate('patch with 100 watchers', 5_000, 32, (n) =>
  registry.patch(context(), pods, 'default', `pod-${n}`, { type: 'merge', body: { metadata: { annotations: { n: `w${n}` } } } }, {}),
);
for (const stop of stops) stop();
await rate('delete Pod', 10_000, 32, (n) => registry.delete(context(), pods, 'default', `pod-${n}`, {}));
console.log(`memory ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`);
await registry.close();
await store.close();
