import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deployment, eventually, pod as podOf, kubectlOf, runClient, startTestPlatform, type Clients, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let folder: string;

before(async () => {
  platform = await startTestPlatform();
  folder = await mkdtemp('/tmp/lsk-files-');
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
  await platform.close();
});

const SERVER = ['sh', '-c', 'trap "exit 0" TERM; echo hello from $HOSTNAME; mkdir -p /www; echo page > /www/index.html; httpd -f -p 8080 -h /www & wait'];

/** Oldest and newest supported client. */
for (const minor of ['1.27', '1.33']) {
  const binary = await kubectlOf(minor);
  describe(`kubectl ${minor}`, { skip: binary === undefined ? `kubectl.${minor} is not on this machine (it comes with google-cloud-cli)` : false }, () => {
    const namespace = `v${minor.replace('.', '-')}`;
    let k: Clients;
    let pod: string;
    before(async () => {
      k = platform.as({ binary: binary!, namespace });
      await k.ok('create', 'namespace', namespace);
    });

    test('create, scale, roll, undo, pause, resume and restart a Deployment', async () => {
      await k.ok('create', 'deployment', 'web', '--image=busybox', '--replicas=3', '--', ...SERVER);
      // A pod that is told to end before its shell has set its trap would use the whole of its grace.
      await k.ok('patch', 'deployment', 'web', '-p', '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":1}}}}');
      assert.match(await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s'), /successfully rolled out/);
      assert.match(await k.ok('get', 'deploy', 'web'), /web +3\/3 +3 +3/);
      await k.ok('scale', 'deploy/web', '--replicas=2');
      await k.ok('set', 'env', 'deploy/web', 'VERSION=2');
      await k.ok('annotate', 'deploy', 'web', 'kubernetes.io/change-cause=second');
      await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
      await k.ok('set', 'image', 'deploy/web', 'busybox=busybox:latest');
      await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
      assert.match(await k.ok('rollout', 'history', 'deploy/web'), /1 +<none>\n2 +<none>\n3 +second\n4 +second/);
      assert.match(await k.ok('rollout', 'history', 'deploy/web', '--revision=3'), /VERSION:\s+2/);
      assert.match(await k.ok('rollout', 'undo', 'deploy/web', '--to-revision=2'), /rolled back/);
      await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
      assert.equal(await k.ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].env}'), '');
      await k.ok('rollout', 'pause', 'deploy/web');
      await k.ok('set', 'env', 'deploy/web', 'PAUSED=1');
      assert.equal(await k.ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.paused}'), 'true');
      await k.ok('rollout', 'resume', 'deploy/web');
      await k.ok('rollout', 'restart', 'deploy/web');
      await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
      assert.match(await k.ok('get', 'deploy', 'web', '-o', 'yaml'), /kubectl.kubernetes.io\/restartedAt/);
      await k.ok('wait', '--for=condition=Available', 'deploy/web', '--timeout=60s');
      // What the roll-outs replaced is going away; the rest of these tests needs pods that stay.
      await eventually('two pods are left', async () => (await k.ok('get', 'pods', '-l', 'app=web', '-o', 'name')).split('\n').length === 2);
      pod = (await k.ok('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].metadata.name}'));
    });

      test('get, describe, label, annotate, patch, explain', async () => {
        assert.match(await k.ok('get', 'pods', '-o', 'wide'), new RegExp(`${pod} +1/1 +Running +0 +\\S+ +10\\.[0-9.]+ +node-1`));
        assert.match(await k.ok('get', 'pod', pod, '-o', 'yaml'), /phase: Running/);
        assert.equal(await k.ok('get', 'pod', pod, '-o', 'custom-columns=N:.metadata.name', '--no-headers'), pod);
        const described = await k.ok('describe', 'pod', pod);
        for (const word of ['Scheduled', 'Pulled', 'Created', 'Started', 'QoS Class: +BestEffort', 'kube-api-access']) {
          assert.match(described, new RegExp(word));
        }
        assert.match(await k.ok('describe', 'deploy', 'web'), /NewReplicaSetAvailable/);
        assert.match(await k.ok('describe', 'node', 'node-1'), new RegExp(`${namespace} +${pod}`));
        await k.ok('label', 'deploy', 'web', 'tier=front');
        assert.match(await k.ok('get', 'deploy', '-l', 'tier=front', '--show-labels'), /tier=front/);
        assert.equal((await k.kubectl(['label', 'deploy', 'web', 'tier=back'])).code, 1);
        await k.ok('label', 'deploy', 'web', 'tier=back', '--overwrite');
        await k.ok('label', 'deploy', 'web', 'tier-');
        await k.ok('annotate', 'pod', pod, 'note=x');
        for (const [type, patch] of [
          ['strategic', '{"metadata":{"labels":{"a":"1"}}}'],
          ['merge', '{"metadata":{"labels":{"b":"2"}}}'],
          ['json', '[{"op":"add","path":"/metadata/labels/c","value":"3"}]'],
        ] as const) {
          await k.ok('patch', 'deploy', 'web', '--type', type, '-p', patch);
        }
        assert.equal(
          await k.ok('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.labels.a}{.metadata.labels.b}{.metadata.labels.c}'),
          '123',
        );
        assert.match(await k.ok('explain', 'pod.spec.containers.livenessProbe.httpGet'), /FIELDS:[^]*port\s+<IntOrString>/);
        assert.match(await k.ok('explain', 'deployment.spec', '--recursive'), /strategy/);
        assert.match(await k.ok('api-resources', '--api-group=apps'), /deployments +deploy +apps\/v1 +true +Deployment/);
        assert.match(await k.ok('api-versions'), /batch\/v1/);
        assert.match(await k.ok('version', '-o', 'yaml'), /serverVersion:[^]*gitVersion: v1\.3/);
        assert.match(await k.ok('cluster-info'), /control plane.* is running at/);
      });

    test('apply by client and by server, diff, edit, replace, delete', async () => {
      const file = join(folder, `${namespace}.json`);
      const map = (data: object): string => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data });
      await writeFile(file, map({ a: '1', b: '2' }));
      assert.match(await k.ok('apply', '-f', file), /created/);
      assert.match(await k.ok('apply', '-f', file), /unchanged/);
      assert.equal((await k.kubectl(['diff', '-f', file])).code, 0);
      await writeFile(file, map({ a: '1', c: '3' }));
      const differs = await k.kubectl(['diff', '-f', file]);
      assert.equal(differs.code, 1);
      assert.match(differs.stdout, /-  b: "2"\n\+  c: "3"/);
      assert.match(await k.ok('apply', '-f', file, '--dry-run=server'), /configured \(server dry run\)/);
      assert.match(await k.ok('apply', '-f', file), /configured/);
      assert.equal(await k.ok('get', 'cm', 'settings', '-o', 'jsonpath={.data}'), '{"a":"1","c":"3"}');
      const other = join(folder, `${namespace}-server.json`);
      await writeFile(other, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'served' }, data: { a: '1' } }));
      assert.match(await k.ok('apply', '--server-side', '--field-manager=one', '-f', other), /serverside-applied/);
      await writeFile(other, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'served' }, data: { a: '2' } }));
      const conflict = await k.kubectl(['apply', '--server-side', '--field-manager=two', '-f', other]);
      assert.equal(conflict.code, 1);
      assert.match(conflict.stderr, /conflict with "one"/);
      await k.ok('apply', '--server-side', '--field-manager=two', '--force-conflicts', '-f', other);
      assert.match(await k.ok('get', 'cm', 'served', '-o', 'yaml', '--show-managed-fields'), /manager: two/);
      const edited = await k.kubectl(['edit', 'cm', 'settings'], { environment: { KUBE_EDITOR: "sed -i 's/c: \"3\"/c: \"4\"/'" } });
      assert.equal(edited.code, 0, edited.stderr);
      assert.equal(await k.ok('get', 'cm', 'settings', '-o', 'jsonpath={.data.c}'), '4');
      await writeFile(file, map({ only: 'this' }));
      assert.match(await k.ok('replace', '-f', file), /replaced/);
      assert.equal(await k.ok('get', 'cm', 'settings', '-o', 'jsonpath={.data}'), '{"only":"this"}');
      assert.match(await k.ok('delete', '-f', file), /deleted/);
      assert.match((await k.kubectl(['get', 'cm', 'settings'])).stderr, /NotFound/);
    });

      test('logs, exec, cp, attach and port-forward', async () => {
        assert.equal(await k.ok('logs', pod), `hello from ${pod}`);
        assert.match(await k.ok('logs', 'deploy/web', '--timestamps'), /^\d{4}-\d\d-\d\dT\S+Z hello from/m);
        assert.match(await k.ok('logs', '-l', 'app=web', '--prefix'), /^\[pod\/web-\S+\/busybox\] hello/m);
        assert.equal(await k.ok('exec', pod, '--', 'cat', '/www/index.html'), 'page');
        const failed = await k.kubectl(['exec', pod, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
        assert.deepEqual([failed.code, failed.stdout], [7, 'out\n']);
        assert.match(failed.stderr, /^err\n/);
        const piped = Buffer.alloc(300_000, 'x\n');
        assert.equal((await k.kubectl(['exec', '-i', pod, '--', 'wc', '-c'], { input: piped })).stdout.trim(), '300000');
        const terminal = await runClient(
          'script',
          ['-qefc', `stty rows 31 cols 91; exec ${binary} -n ${namespace} exec -it ${pod} -- sh -c 'stty size; tty; exit 5'`, '/dev/null'],
          { ...platform.environment, TERM: 'xterm' },
          { openInput: true },
        );
        assert.match(terminal.stdout, /31 91\r\n(\^@)?\/dev\/pts\/0/);
        assert.equal(terminal.code, 5);
        const big = Buffer.alloc(2_000_000, '0123456789abcdef');
        await writeFile(join(folder, 'big'), big);
        await k.ok('cp', join(folder, 'big'), `${namespace}/${pod}:/root/big`);
        await k.ok('cp', `${namespace}/${pod}:/root/big`, join(folder, `back-${minor}`));
        assert.ok((await readFile(join(folder, `back-${minor}`))).equals(big));

        const forward = k.start('port-forward', `pod/${pod}`, ':8080');
        const [, port] = /127\.0\.0\.1:(\d+) -> 8080/.exec(await forward.until(/Forwarding from 127/))!;
        for (let n = 0; n < 3; n++) {
          assert.equal(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text(), 'page\n');
        }
        await forward.stop();
        const deaf = k.start('port-forward', `pod/${pod}`, ':81');
        const [, closed] = /127\.0\.0\.1:(\d+) -> 81/.exec(await deaf.until(/Forwarding from 127/))!;
        await assert.rejects(
          fetch(`http://127.0.0.1:${closed}/`, { signal: AbortSignal.timeout(10_000) }),
          (error: Error) => error.name !== 'TimeoutError',
          'the connection is closed, not left hanging',
        );
        await deaf.until(/error forwarding port 81/);
        await deaf.stop();

      const wrong = await k.kubectl(['exec', pod, '-c', 'nope', '--', 'true']);
      assert.match(wrong.stderr, /container nope is not valid for pod|container not found/);
      const missing = await k.kubectl(['exec', pod, '--', 'no-such-program']);
      assert.notEqual(missing.code, 0);
      assert.match(missing.stderr, /no-such-program/);
    });

      test('logs -f to the end, logs -p, attach, run --rm', async () => {
        await k.ok(
          'run',
          'count',
          '--image=busybox',
          '--restart=Never',
          '--',
          'sh',
          '-c',
          'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done',
        );
        const followed = await eventually('its log can be followed', async () => {
          const ran = await k.kubectl(['logs', '-f', 'count']);
          if (ran.code !== 0) {
            assert.match(ran.stderr, /is waiting to start: ContainerCreating|pods "count" not found|does not have a host assigned/);
          }
          // What is on no node yet has an empty log.
          return ran.code === 0 && ran.stdout !== '' ? ran : undefined;
        });
        assert.equal(followed.stdout, 'line 1\nline 2\nline 3\nline 4\nline 5\n', followed.stderr);
        assert.equal(await k.ok('logs', 'count', '--tail=2'), 'line 4\nline 5');
        await k.ok('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/count', '--timeout=30s');
        await k.ok('run', 'twice', '--image=busybox', '--', 'sh', '-c', 'echo run at $(date +%s); sleep 0.2; exit 3');
        await eventually(
          'it was restarted',
          async () => Number(await k.ok('get', 'pod', 'twice', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}')) >= 1,
        );
        assert.match(await k.ok('logs', '-p', 'twice'), /^run at \d+$/);
        await k.ok('delete', 'pod', 'twice', 'count', '--now');
        const ran = await k.kubectl(
          [
            'run',
            'once',
            '--rm',
            '-i',
            '--image=busybox',
            '--restart=Never',
            '--quiet',
            '--',
            'sh',
            '-c',
            'read line; echo got $line; exit 0',
          ],
          { input: 'word\n' },
        );
        assert.match(ran.stdout, /got word/, ran.stderr);
        assert.match((await k.kubectl(['get', 'pod', 'once'])).stderr, /NotFound/);
        await k.ok('run', 'shell', '--image=busybox', '-i', '--tty', '--attach=false', '--', 'sh');
        await k.ok('wait', '--for=condition=Ready', 'pod/shell', '--timeout=30s');
        const attached = await k.kubectl(['attach', '-i', 'shell'], { input: 'echo $((40+2))\nexit\n' });
        assert.match(attached.stdout + attached.stderr, /42/);
        await k.ok('delete', 'pod', 'shell', '--now');
      });

      test('expose, watch, events, tokens, rights, top', async () => {
        await k.ok('expose', 'deploy', 'web', '--port=80', '--target-port=8080', '--type=NodePort');
        const [ip, port] = (await k.ok('get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP} {.spec.ports[0].nodePort}')).split(' ');
        for (const address of [`127.0.0.1:${port}`, `${ip}:80`]) {
          await eventually(
            `${address} answers`,
            async () => (await (await fetch(`http://${address}/`, { headers: { connection: 'close' } })).text()) === 'page\n',
          );
        }
        assert.match(await k.ok('describe', 'svc', 'web'), /Endpoints: +10\.[0-9.]+:8080,10\./);
        const watch = k.start('get', 'cm', '--watch-only', '-o', 'name');
        await eventually('the watch sees what is made', async () => {
          await k.kubectl(['create', 'cm', 'seen']);
          await k.ok('label', 'cm', 'seen', `at=n${Math.trunc(performance.now())}`);
          return watch.output().includes('configmap/seen');
        });
        await watch.stop();
        assert.match(await k.ok('events', '--for', `pod/${pod}`), /Started/);
        assert.match(await k.ok('get', 'events', '--sort-by=.lastTimestamp'), /ScalingReplicaSet/);
        // A client of 1.27 knows it by its alpha and beta versions alone, which no server has any more.
        if (minor !== '1.27') assert.match(await k.ok('auth', 'whoami'), /Username +kubernetes-admin/);
        assert.equal(await k.ok('auth', 'can-i', 'create', 'pods'), 'yes');
        assert.equal(
          (await k.kubectl(['auth', 'can-i', 'create', 'pods', `--as=system:serviceaccount:${namespace}:default`])).stdout,
          'no\n',
        );
        const token = await k.ok('create', 'token', 'default');
        assert.match(
          (await k.kubectl(['--token', token, 'get', 'pods'], { environment: { KUBECONFIG: await withoutUser(platform) } })).stderr,
          new RegExp(`Forbidden.*system:serviceaccount:${namespace}:default`),
        );
        const top = await k.kubectl(['top', 'nodes']);
        if (top.code === 0) assert.match(top.stdout, /node-1/);
        else assert.match(top.stderr, /Metrics API not available/);
      });

    test('cordon, uncordon, taint, drain', async () => {
      await k.ok('cordon', 'node-1');
      assert.match(await k.ok('get', 'node', 'node-1'), /Ready,SchedulingDisabled/);
      await k.apply(podOf('waits', { command: ['sleep', '1000'] }));
      await eventually('it is told why it waits', async () => (await k.ok('describe', 'pod', 'waits')).includes('node(s) were unschedulable'));
      await k.ok('uncordon', 'node-1');
      await k.ok('wait', '--for=condition=Ready', 'pod/waits', '--timeout=30s');
      await k.ok('taint', 'node', 'node-1', 'dedicated=x:NoExecute');
      await eventually('it is evicted', async () => (await k.kubectl(['get', 'pod', 'waits'])).code === 1, 60_000);
      await k.ok('taint', 'node', 'node-1', 'dedicated-');
      await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
      assert.match(await k.ok('drain', 'node-1', '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=60s', `--pod-selector=app=web`), /drained/);
      await k.ok('uncordon', 'node-1');
      await k.ok('rollout', 'status', 'deploy/web', '--timeout=60s');
    });

      test('debug, replace a pod by force, delete by label and with the namespace', async () => {
        await k.apply(deployment('more', { command: ['sleep', '1000'] }));
        await k.ok('rollout', 'status', 'deploy/more', '--timeout=60s');
        const [name] = (await k.ok('get', 'pods', '-l', 'app=more', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
        const debug = await k.kubectl(['debug', name!, '--image=busybox', '--profile=general', '-c', 'dbg', '--', 'echo', 'from the side']);
        assert.equal(debug.code, 0, debug.stderr);
        await eventually('its output is there', async () => (await k.ok('logs', name!, '-c', 'dbg')) === 'from the side');
        await eventually(
          'its end is told',
          async () =>
            (await k.ok('get', 'pod', name!, '-o', 'jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.reason}')) ===
            'Completed',
        );
        const beside = await k.kubectl(['debug', name!, '--image=busybox', '--profile=general', '--target=more', '-c', 'see', '--', 'ps']);
        assert.equal(beside.code, 0, beside.stderr);
        await eventually('it sees the processes beside it', async () => (await k.ok('logs', name!, '-c', 'see')).includes('sleep 1000'));
        const file = join(folder, `pod-${namespace}.json`);
        await writeFile(file, await k.ok('get', 'pod', name!, '-o', 'json'));
        await k.ok('delete', 'pod', '-l', 'app=more', '--wait=false');
        await k.ok('delete', 'deploy', 'more');
        await k.ok('delete', 'namespace', namespace, '--timeout=90s');
        assert.match((await k.kubectl(['get', 'namespace', namespace])).stderr, /NotFound/);
      });
    },
  );
}

/** A kubeconfig with the cluster and nobody's credentials. */
async function withoutUser({ home, environment }: TestPlatform): Promise<string> {
  const path = join(folder, 'nobody');
  await writeFile(path, await readFile(home.kubeconfig));
  const ran = await runClient('kubectl', ['config', 'set-context', '--current', '--user=nobody'], { ...environment, KUBECONFIG: path });
  assert.equal(ran.code, 0, ran.stderr);
  return path;
}
