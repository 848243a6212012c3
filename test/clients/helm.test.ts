// The real helm: a chart is installed, upgraded, rolled back and taken away.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runClient, startTestPlatform } from './platform.ts';

const helm = join(process.env.LONGSHORE_CLIENTS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'longshore/clients'), 'helm-v4.3.1');

const CHART: Readonly<Record<string, string>> = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 0.1.0\n',
  'values.yaml': 'replicas: 1\ngreeting: hello\n',
  'templates/config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  greeting: {{ .Values.greeting }}\n',
  'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{ name: c, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, "1000"] }]
`,
};

test(
  'a chart is installed, upgraded, rolled back and uninstalled',
  { skip: existsSync(helm) ? false : 'helm is not on this machine' },
  async (t) => {
    const chart = await mkdtemp(join(tmpdir(), 'ls-chart-'));
    t.after(() => rm(chart, { recursive: true }));
    for (const [path, text] of Object.entries(CHART)) {
      await mkdir(join(chart, path, '..'), { recursive: true });
      await writeFile(join(chart, path), text);
    }
    const platform = await startTestPlatform();
    t.after(() => platform.close());
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runClient(helm, args, {
        ...platform.environment,
        HELM_CACHE_HOME: join(chart, '.cache'),
        HELM_CONFIG_HOME: join(chart, '.config'),
        HELM_DATA_HOME: join(chart, '.data'),
      });
      assert.equal(code, 0, `helm ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    const state = async (): Promise<string> =>
      (await platform.kubectl(['get', 'deploy,cm', 'shop', '-o', 'jsonpath={.items[0].status.readyReplicas} {.items[1].data.greeting}']))
        .stdout;

  await run('install', 'shop', chart, '--wait', '--timeout', '60s');
  assert.equal(await state(), '1 hello');
  await run('upgrade', 'shop', chart, '--set', 'replicas=2,greeting=welcome', '--wait', '--timeout', '60s');
  assert.equal(await state(), '2 welcome');
  await run('rollback', 'shop', '1', '--wait', '--timeout', '60s');
  assert.match(await state(), /hello$/);
  assert.match(await run('history', 'shop'), /Rollback to 1/);
  assert.match(await run('list'), /shop/);
  await run('uninstall', 'shop', '--wait', '--timeout', '60s');
  assert.match((await platform.kubectl(['get', 'deploy', 'shop'])).stderr, /NotFound/);
});
