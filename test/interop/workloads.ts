/** What every cluster is to do, whichever parts it is made of. */
import { eventually, pod, type Clients } from '../clients/platform.ts';
import type { Checks } from './table.ts';

const SERVE = ['sh', '-c', 'mkdir /www; hostname > /www/name; echo serving; exec httpd -f -p 8080 -h /www'];
const labels = (app: string): object => ({ metadata: { labels: { app } } });
const main = (command: readonly string[], more: object = {}): object => ({
  terminationGracePeriodSeconds: 1,
  containers: [{ name: 'main', image: 'busybox', imagePullPolicy: 'IfNotPresent', command }],
  ...more,
});

export async function checkWorkloads(checks: Checks, cluster: Clients): Promise<void> {
  const ok = (...args: string[]): Promise<string> => cluster.ok(...args);
  await checks.check('a Deployment serves through a Service; its slices name its pods', async () => {
    await cluster.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'site' },
        spec: { replicas: 2, selector: { matchLabels: { app: 'site' } }, template: { ...labels('site'), spec: main(SERVE) } },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'site' },
        spec: { selector: { app: 'site' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    );
    await ok('rollout', 'status', 'deploy/site', '--timeout=60s');
    await eventually(
      'two endpoints',
      async () =>
        (
          await ok('get', 'endpointslices', '-l', 'kubernetes.io/service-name=site', '-o', 'jsonpath={.items[*].endpoints[*].addresses[0]}')
        ).split(' ').length === 2,
    );
    const address = await ok('get', 'service', 'site', '-o', 'jsonpath={.spec.clusterIP}');
    const answer = await eventually('the Service answers a pod', async () => {
      const first = (await ok('get', 'pods', '-l', 'app=site', '-o', 'name')).split('\n')[0]!;
      return (await ok('exec', first, '--', 'sh', '-c', `printf 'GET /name HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} 80`)).trim().split('\n').at(-1)!.trim();
    });
    if (!answer.startsWith('site-')) throw new Error(`the Service answered ${answer}`);
  });
  await checks.check('logs', async () => {
    const logs = await ok('logs', 'deploy/site');
    if (logs !== 'serving') throw new Error(`logs: ${logs}`);
  });
  await checks.check('exec', async () => {
    const said = await ok('exec', 'deploy/site', '--', 'echo', 'hello');
    if (said !== 'hello') throw new Error(`exec: ${said}`);
  });
  await checks.check('port-forward', async () => {
    const forward = cluster.start('port-forward', 'deploy/site', ':8080');
    try {
      const port = /127\.0\.0\.1:(\d+)/.exec(await forward.until(/127\.0\.0\.1:(\d+) -> /))?.[1];
      const answer = await (await fetch(`http://127.0.0.1:${port}/name`)).text();
      if (!answer.startsWith('site-')) throw new Error(`it answered ${answer}`);
    } finally {
      await forward.stop();
    }
  });
  await checks.check('a rolling update, and scaling', async () => {
    await ok('set', 'env', 'deploy/site', 'A=1');
    await ok('rollout', 'status', 'deploy/site', '--timeout=60s');
    await ok('scale', 'deploy/site', '--replicas=3');
    await ok('rollout', 'status', 'deploy/site', '--timeout=60s');
  });
  await checks.check('a Job runs to its end', async () => {
    await cluster.apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once' },
      spec: { completions: 2, parallelism: 2, template: { spec: main(['true'], { restartPolicy: 'Never' }) } },
    });
    await ok('wait', '--for=condition=Complete', 'job/once', '--timeout=60s');
  });
  await checks.check('a StatefulSet and a DaemonSet come up', async () => {
    const spec = (app: string): object => ({ selector: { matchLabels: { app } }, template: { ...labels(app), spec: main(['sleep', '1000']) } });
    await cluster.apply(
      { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec: { ...spec('db'), serviceName: 'db', replicas: 2 } },
      { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'each' }, spec: spec('each') },
    );
    await ok('rollout', 'status', 'sts/db', '--timeout=60s');
    await ok('rollout', 'status', 'ds/each', '--timeout=60s');
  });
  await checks.check('a pod that fits nowhere says why', async () => {
    await cluster.apply(pod('huge', { resources: { requests: { cpu: '1000' } }, command: ['true'] }));
    await eventually('it is unschedulable', async () =>
      /nodes are available|Insufficient cpu/.test(
        await ok('get', 'pod', 'huge', '-o', 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}'),
      ),
    );
    await ok('delete', 'pod', 'huge');
  });
  await checks.check('what a deleted Deployment owned is collected', async () => {
    await ok('delete', 'deploy', 'site', '--timeout=30s');
    await eventually('its pods are gone', async () => (await ok('get', 'pods', '-l', 'app=site', '-o', 'name')) === '');
  });
  await checks.check('a namespace is deleted with what is in it', async () => {
    await ok('create', 'namespace', 'passing');
    await ok('create', 'configmap', 'x', '-n', 'passing');
    await ok('delete', 'namespace', 'passing', '--timeout=60s');
  });
  await ok('delete', 'sts/db', 'ds/each', 'svc/site', 'job/once', '--timeout=60s', '--ignore-not-found');
}
