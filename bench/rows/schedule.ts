import { Agent } from 'node:https';
import { Api, each } from '../lib/api.ts';
import { memoryOf } from '../lib/memory.ts';
import { ratio, type Measurement, type Row } from '../lib/row.ts';
import type { KubeSide } from '../lib/side.ts';
import { Stage } from '../lib/stage.ts';

const NODES = 500;
const DEPLOYMENTS = 10;
const REPLICAS = 300;
const NAMESPACE = 'bench-schedule';
const CAPACITY = { cpu: '32', memory: '256Gi', pods: '110' };

interface Outcome {
  readonly podsPerSecond: number;
  readonly rss: number;
  readonly pss: number;
}

/** Deployments on nodes that exist as objects alone: controllers make pods, the scheduler binds them, nobody runs them. */
async function schedule(side: KubeSide): Promise<Outcome> {
  using api = new Api(side, 16);
  const agent = new Agent({ rejectUnauthorized: false });
  await each(NODES, 16, async (index) => await makeNode(api, `bench-${index}`));
  await api.send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  const bound = new Set<string>();
  const all = api.watch(`/api/v1/namespaces/${NAMESPACE}/pods?watch=1`, agent, ({ object }) => {
    if (object.spec?.nodeName !== undefined) bound.add(object.metadata.name);
    return bound.size >= DEPLOYMENTS * REPLICAS;
  });
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  const began = performance.now();
  await each(DEPLOYMENTS, DEPLOYMENTS, async (index) => await api.send('POST', `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`, deployment(`d${index}`)));
  await all;
  const seconds = (performance.now() - began) / 1000;
  const memory = await memoryOf(await side.pids());
  agent.destroy();
  return { podsPerSecond: (DEPLOYMENTS * REPLICAS) / seconds, rss: memory.rss, pss: memory.pss };
}

/** On a stage of its own: a fresh platform, which goes with all that was made. */
async function outcome(stage: Stage, side: 'ours' | 'peer'): Promise<Outcome> {
  return await stage.once(`schedule on ${side}`, async () => {
    await using own = new Stage();
    return await schedule(side === 'ours' ? await own.ourKube() : await own.peerKube());
  });
}

async function makeNode(api: Api, name: string): Promise<void> {
  const now = new Date().toISOString();
  await api.send('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, bench: 'yes' } },
  });
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'Bench',
    message: 'an object alone',
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  };
  await api.send(
    'PATCH',
    `/api/v1/nodes/${name}/status`,
    { status: { capacity: CAPACITY, allocatable: CAPACITY, conditions: [condition] } },
    'application/merge-patch+json',
  );
}

function deployment(name: string): unknown {
  return {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name },
    spec: {
      replicas: REPLICAS, selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          automountServiceAccountToken: false, nodeSelector: { bench: 'yes' }, tolerations: [{ operator: 'Exists' }],
          containers: [{ name: 'c', image: 'busybox', resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
        },
      },
    },
  };
}

const rate = ({ podsPerSecond }: Outcome): Measurement => ({ value: podsPerSecond });
const memory = ({ rss, pss }: Outcome): Measurement => ({ value: rss, note: `PSS ${pss.toFixed(0)} MiB` });

export const rows: readonly Row[] = [
  {
    name: 'schedule',
    what: `${DEPLOYMENTS} Deployments, ${DEPLOYMENTS * REPLICAS} pods, ${NODES} nodes: to all bound`,
    unit: '/s',
    budget: ratio(5),
    recorded: 238,
    rounds: 1,
    ours: async (stage) => rate(await outcome(stage, 'ours')),
    peer: async (stage) => rate(await outcome(stage, 'peer')),
  },
  {
    name: 'schedule-memory', what: 'memory after that, RSS', unit: 'MiB', budget: ratio(0.35), recorded: 846, rounds: 1,
    ours: async (stage) => memory(await outcome(stage, 'ours')), peer: async (stage) => memory(await outcome(stage, 'peer')),
  },
];
