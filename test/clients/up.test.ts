// What `longshore up` does with what has no manifests: a compose file, and a Dockerfile alone; and with an image that has changed.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
/** Where tools/clients.sh puts what it builds. */
const clients = process.env['LONGSHORE_CLIENTS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'longshore/clients');
const built = await readdir(clients).catch(() => [] as string[]); // an empty list: they could not be built
const [compose, buildx] = ['compose-', 'buildx-v'].map((prefix) => built.find((name) => name.startsWith(prefix)));

interface Result { readonly code: number; readonly stdout: string; readonly stderr: string }

function run(file: string, args: readonly string[], env: Record<string, string>): Promise<Result> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: root, env: { ...process.env, ...env }, timeout: 240_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr }),
    );
  });
}

test('a Dockerfile alone gets a Deployment and a Service; a change rolls out, and nothing else does; a compose file is composed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ls-'));
  const env = { LONGSHORE_HOME: join(folder, 'home'), DOCKER_CONFIG: join(folder, 'config') };
  const longshore = async (...args: string[]): Promise<Result> => {
    const result = await run('./longshore', args, env);
    assert.equal(result.code, 0, result.stderr);
    return result;
  };
  t.after(async () => {
    await run('./longshore', ['down'], env);
    await rm(folder, { recursive: true, force: true });
  });
  await cp(join(root, 'examples/dockerfile'), join(folder, 'hello'), { recursive: true });
  await cp(join(root, 'examples/compose'), join(folder, 'shop'), { recursive: true });
  const page = async (url: string): Promise<string> => (await fetch(url)).text();

  const { stderr, stdout: url } = await longshore('up', join(folder, 'hello'));
  for (const phase of ['build hello', 'apply 2 objects', 'pods available', 'services answer']) {
    assert.match(stderr, new RegExp(`✓ ${phase} \\d`));
  }
  assert.match(await page(url.trim()), /One Dockerfile, one command/);
  const sets = async (): Promise<string> =>
    (await run('kubectl', ['get', 'replicasets', '-o', 'name'], { KUBECONFIG: join(env.LONGSHORE_HOME, 'kubeconfig') })).stdout.trim();
  const first = await sets();
  assert.match(first, /^replicaset.apps\/hello-\w+$/);
  assert.equal((await longshore('up', join(folder, 'hello'))).stdout, url);
  assert.equal(await sets(), first, 'nothing has changed');
  await writeFile(join(folder, 'hello/index.html'), 'another page\n');
  assert.equal((await longshore('up', join(folder, 'hello'))).stdout, url);
  assert.equal(await page(url.trim()), 'another page\n');
  assert.equal((await sets()).split('\n').length, 2);

  await t.test(
    'compose',
    { skip: compose === undefined || buildx === undefined ? 'compose or buildx is not there (tools/clients.sh builds them)' : false },
    async () => {
      const plugins = join(env.DOCKER_CONFIG, 'cli-plugins');
      await mkdir(plugins, { recursive: true });
      await symlink(join(clients, compose!), join(plugins, 'docker-compose'));
      // Compose asks for a version, which a buildx that Go built from its module does not know.
      await writeFile(
        join(plugins, 'docker-buildx'),
        `#!/bin/sh\n[ "$1" = docker-cli-plugin-metadata ] && exec echo '{"SchemaVersion":"0.1.0","Vendor":"Docker Inc.","Version":"${buildx!.slice('buildx-'.length)}","ShortDescription":"Docker Buildx"}'\nexec ${join(clients, buildx!)} "$@"\n`,
      );
      await chmod(join(plugins, 'docker-buildx'), 0o755);
      await writeFile(join(folder, 'shop/compose.override.yaml'), 'services: { web: { ports: !override ["127.0.0.1::8080"] } }\n');
      const docker = (...args: string[]): string =>
        spawnSync('docker', args, {
          encoding: 'utf8',
          env: { ...process.env, ...env, DOCKER_HOST: `unix://${join(env.LONGSHORE_HOME, 'run/docker.sock')}` },
        }).stdout.trim();
      const up = await longshore('up', join(folder, 'shop'));
      assert.match(up.stderr, /✓ compose up web, writer \d/);
      assert.match(await page(up.stdout.trim()), /20\d\d/);
      const before = docker('ps', '-q', '--filter', 'label=com.docker.compose.project=shop');
      assert.equal(before.split('\n').length, 2);
      assert.equal((await longshore('up', join(folder, 'shop'))).stdout, up.stdout);
      assert.equal(docker('ps', '-q', '--filter', 'label=com.docker.compose.project=shop'), before, 'nothing has changed');
      docker('compose', '--project-directory', join(folder, 'shop'), 'up', '-d');
      assert.equal(docker('ps', '-q', '--filter', 'label=com.docker.compose.project=shop'), before, 'an image is the same, built just now or found');

      await writeFile(join(folder, 'shop/compose.yaml'), 'services: { web: { image: 5 } }\n');
      const wrong = await run('./longshore', ['up', join(folder, 'shop')], env);
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /services\.web\.image must be a string[^]*→ Correct what it names/);
      await writeFile(join(folder, 'shop/compose.yaml'), 'services: { web: { image: busybox, command: sh -c "exit 7" } }\n');
      await rm(join(folder, 'shop/compose.override.yaml'));
      const ended = await run('./longshore', ['up', join(folder, 'shop')], env);
      assert.match(ended.stderr, /the container shop-web-1 ended: Exited \(7\)/);
  });
});
