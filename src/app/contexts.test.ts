import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { newKubeconfig } from '../control-plane/api/pki/kubeconfig.ts';
import { isCode } from '../lib/errors.ts';
import { mergeContexts, removeMerged, userFiles } from './contexts.ts';
import { homeAt, type Home } from './home.ts';

const run = promisify(execFile);

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'contexts-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function instance(folder: string, authority: string): Promise<Home> {
  const home = homeAt(join(folder, authority));
  await mkdir(home.root);
  await writeFile(home.kubeconfig, newKubeconfig({ name: 'longshore', server: 'https://127.0.0.1:6443', authority, certificate: 'certificate', key: 'key' }));
  return home;
}

const THEIRS =
  '# mine\napiVersion: v1\nkind: Config\nclusters:\n- {name: work, cluster: {server: "https://work"}}\ncontexts:\n- {name: work, context: {cluster: work, user: ""}}\ncurrent-context: work\nusers: []\n';

test('contexts are added and taken away, and nothing else is changed', async (t) => {
  const folder = await folderOf(t);
  const home = await instance(folder, 'first');
  const user = join(folder, 'user');
  await mkdir(join(user, '.kube'), { recursive: true });
  await writeFile(join(user, '.kube/config'), THEIRS, { mode: 0o640 });
  const files = userFiles(home, { HOME: user, KUBECONFIG: home.kubeconfig });
  assert.deepEqual(files, { kubeconfig: join(user, '.kube/config'), dockerConfig: join(user, '.docker') });

  await mergeContexts(home, files, 'longshore');
  await mergeContexts(home, files, 'longshore');
  const merged = await readFile(files.kubeconfig, 'utf8');
  assert.match(merged, /# mine/);
  assert.match(merged, /current-context: work/);
  assert.equal(merged.match(/name: longshore/g)?.length, 3, 'a cluster, a user, a context');
  assert.equal((await stat(files.kubeconfig)).mode & 0o777, 0o640);
  const { stdout } = await run('docker', ['context', 'inspect', 'longshore', '--format', '{{.Endpoints.docker.Host}}'], {
    env: { ...process.env, DOCKER_CONFIG: files.dockerConfig },
  });
  assert.equal(stdout.trim(), `unix://${home.dockerSocket}`);

  assert.deepEqual(await removeMerged(home), [`the context longshore in ${files.kubeconfig}`, "Docker's context longshore"]);
  assert.deepEqual(await removeMerged(home), []);
  const after = await readFile(files.kubeconfig, 'utf8');
  assert.equal(after.includes('longshore'), false);
  assert.match(after, /# mine[^]*name: work/);
});

test('a context of that name that leads elsewhere is not touched', async (t) => {
  const folder = await folderOf(t);
  const [first, second] = [await instance(folder, 'first'), await instance(folder, 'second')];
  const files = { kubeconfig: join(folder, 'config'), dockerConfig: join(folder, 'docker') };
  await mergeContexts(first, files, 'longshore');
  const before = await readFile(files.kubeconfig, 'utf8');
  await assert.rejects(mergeContexts(second, files, 'longshore'), (error) => isCode(error, 'conflict'));
  assert.equal(await readFile(files.kubeconfig, 'utf8'), before);
  await mergeContexts(second, files, 'other');
  assert.deepEqual(await removeMerged(first), [`the context longshore in ${files.kubeconfig}`, "Docker's context longshore"]);
  assert.match(await readFile(files.kubeconfig, 'utf8'), /name: other/);
});
