// The instance's registry: one content store for docker, pods and whoever speaks to a registry.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { eventually, runClient, startTestPlatform, type Ran, type TestPlatform } from './platform.ts';
import type { DaemonStatus } from '../../src/app/status.ts';

let platform: TestPlatform;
let name: string;
let inside: string;

before(async () => {
  platform = await startTestPlatform();
  const status = JSON.parse(await readFile(platform.home.statusFile, 'utf8')) as DaemonStatus;
  [name, inside] = [status.registry!, status.registryForPods!];
});
after(() => platform.close());

async function docker(...args: string[]): Promise<string> {
  const ran: Ran = await runClient('docker', args, platform.environment);
  assert.equal(ran.code, 0, `docker ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout.trim();
}

async function pod(podName: string, image: string, command: readonly string[]): Promise<string> {
  await platform.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podName },
    spec: { restartPolicy: 'Never', containers: [{ name: 'c', image, imagePullPolicy: 'Always', command }] },
  });
  return eventually(`${podName} is over`, async () => {
    const phase = await platform.ok('get', 'pod', podName, '-o', 'jsonpath={.status.phase}');
    if (phase !== 'Succeeded' && phase !== 'Failed') {
      throw new Error(`it is ${phase}: ${await platform.ok('get', 'pod', podName, '-o', 'jsonpath={.status.containerStatuses[0].state}')}`);
    }
    return `${phase}: ${await platform.ok('logs', podName)}`;
  });
}

test('what is pushed by docker is pulled by pods, under the same name', async () => {
  assert.match(name, /^localhost:\d+$/);
  const made = await docker('create', 'busybox', 'true');
  await docker('commit', '-c', 'ENV GREETING=ahoy', made, `${name}/team/app:v1`);
  await docker('rm', made);
  assert.match(await docker('push', `${name}/team/app:v1`), /v1: digest: sha256:[0-9a-f]{64}/);
  assert.equal(await pod('by-name', `${name}/team/app:v1`, ['sh', '-c', 'echo $GREETING']), 'Succeeded: ahoy');
  assert.equal(await pod('by-address', `${inside}/team/app:v1`, ['sh', '-c', 'echo $GREETING']), 'Succeeded: ahoy');
  const catalog = (await (await fetch(`http://${name}/v2/_catalog`)).json()) as { repositories: string[] };
  assert.ok(catalog.repositories.includes('team/app'));
});

test('pods reach it at an address that leads there from the machine too, and may not write', async () => {
  assert.equal((await fetch(`http://${inside}/v2/team/app/tags/list`)).status, 200);
  const said = await pod('client', 'busybox', [
    'sh',
    '-c',
    `wget -qO- http://${inside}/v2/team/app/tags/list; wget -O- --post-data= http://${inside}/v2/team/app/blobs/uploads/ 2>&1 || true`,
  ]);
  assert.match(said, /"tags":\["v1"\]/);
  assert.match(said, /403/);
});

test('tools find it by its ConfigMap', async () => {
  const text = await platform.ok('-n', 'kube-public', 'get', 'configmap', 'local-registry-hosting', '-o', 'jsonpath={.data.localRegistryHosting\\.v1}');
  assert.deepEqual(text.split('\n'), [`host: "${name}"`, `hostFromContainerRuntime: "${name}"`, `hostFromClusterNetwork: "${inside}"`]);
});
