/** Our agent is a node of a cluster of upstream's programs. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { homeAt, releaseRange } from '../../src/app/home.ts';
import { makeBase } from '../../src/app/deploy/bases.ts';
import { dockerAt } from '../../src/app/deploy/docker.ts';
import { openHost } from '../../src/host/open.ts';
import { eventually, pod, runClient } from '../clients/platform.ts';
import { openLink } from '../clients/second-node.ts';
import { Checks, type Row } from './table.ts';
import { API_RIGHTS, CLUSTER_CIDR, RIGHTS, SERVICE_CIDR, startUpstreamCluster } from './upstream-cluster.ts';
import { checkWorkloads } from './workloads.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

export async function tryOurNode(programs: string, swap: string): Promise<Row[]> {
  const checks = new Checks(swap);
  await using undo = new AsyncDisposableStack();
  const link = await openLink();
  undo.defer(() => link.close());
  const cluster = undo.use(await startUpstreamCluster(programs, link.serverAddress));
  const { admin } = cluster;
  const home = homeAt(await mkdtemp('/tmp/lsk-'));
  const there = (...words: string[]): ReturnType<typeof runClient> => {
    const [file, args] = link.inside(process.execPath, MAIN, ...words);
    return runClient(file, args, { LONGSHORE_HOME: home.root }, { timeoutMs: 120_000 });
  };
  undo.defer(async () => {
    await there('down');
    await releaseRange(home);
    await rm(home.root, { recursive: true, force: true });
  });
  const must = async (...words: string[]): Promise<string> => {
    const ran = await there(...words);
    if (ran.code !== 0) throw new Error(ran.stderr + (await there('logs', '-n', '20')).stdout);
    return ran.stderr;
  };
  await admin.apply(...RIGHTS);
  await checks.check('the node registers by a kubeconfig, and is Ready', async () => {
    await must(
      'agent',
      '--kubeconfig',
      await cluster.nodeKubeconfig('ours'),
      '--address',
      link.nodeAddress,
      '--cluster-cidr',
      CLUSTER_CIDR,
      '--service-cidr',
      SERVICE_CIDR,
    );
    await admin.ok('wait', '--for=condition=Ready', 'node/ours', '--timeout=10s');
  });
  await checks.check('its lease is renewed', async () => {
    const renewed = (): Promise<string> => admin.ok('get', 'lease', 'ours', '-n', 'kube-node-lease', '-o', 'jsonpath={.spec.renewTime}');
    const first = await renewed();
    await eventually('a later time', async () => (await renewed()) > first);
  });
  const { spawn } = await openHost();
  await makeBase(dockerAt(home.dockerSocket), { spawn, node: await realpath(process.execPath) }, 'busybox');
  await checks.check('an API server without rights on nodes is refused, by a SubjectAccessReview', async () => {
    await admin.apply(pod('early', { command: ['sh', '-c', 'echo early; exec sleep 1000'] }));
    await admin.ok('wait', '--for=condition=Ready', 'pod/early', '--timeout=60s');
    const { code, stderr } = await admin.kubectl(['logs', 'early']);
    if (code === 0 || !stderr.includes('Forbidden (user=apiserver-to-node')) throw new Error(`kubectl logs ended with ${code}: ${stderr}`);
  });
  await admin.apply(API_RIGHTS);
  await checks.check('with the rights it may (a no is remembered for 30 s)', () =>
    eventually('the logs come', async () => (await admin.ok('logs', 'early')) === 'early', 45_000),
  );
  await checks.check("a pod reads its account's token and the cluster's authority, and reaches the API by its Service", async () => {
    const said = await admin.ok(
      'exec',
      'early',
      '--',
      'sh',
      '-c',
      'wc -c < /var/run/secrets/kubernetes.io/serviceaccount/token; head -1 /var/run/secrets/kubernetes.io/serviceaccount/ca.crt; nc -w 3 10.233.0.1 443 < /dev/null && echo reached',
    );
    if (!/^\d{3,}\n-----BEGIN CERTIFICATE-----\nreached$/.test(said)) throw new Error(said);
  });
  await checkWorkloads(checks, admin);
  await checks.check('started again without a flag, it takes its pods up', async () => {
    const before = await admin.ok('get', 'pod', 'early', '-o', 'jsonpath={.status.containerStatuses[0].containerID}');
    const status = JSON.parse((await there('status', '-o', 'json')).stdout) as { pid: number };
    process.kill(status.pid, 'SIGTERM');
    await eventually('it has ended', async () => (await there('status')).code === 3);
    await must('agent');
    await admin.ok('wait', '--for=condition=Ready', 'node/ours', '--timeout=30s');
    const after = await admin.ok('get', 'pod', 'early', '-o', 'jsonpath={.status.containerStatuses[0].containerID}');
    if (before !== after) throw new Error(`${before} became ${after}`);
  });
  return checks.rows;
}
