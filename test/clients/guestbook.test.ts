// The main job, as the README has it: one command from Dockerfiles and manifests to an answer, and one that leaves nothing behind.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

interface Result { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs a program to its end; a failure is a result, not an exception. */
function run(file: string, args: readonly string[], env: Record<string, string | undefined>): Promise<Result> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: root, env: { ...process.env, ...env }, timeout: 240_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr });
    });
  });
}

test('up builds, deploys and answers; docker and kubectl see it; down leaves nothing', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'ls-'));
  const env = { LONGSHORE_HOME: home };
  const longshore = (...args: string[]): Promise<Result> => run('./longshore', args, env);
  t.after(async () => {
    await longshore('down');
    await rm(home, { recursive: true, force: true });
  });

  const up = await longshore('up', 'examples/guestbook');
  assert.equal(up.code, 0, up.stderr);
  for (const phase of ['platform', 'build guestbook-api', 'build guestbook-web', 'apply 6 objects', 'pods available', 'services answer']) {
    assert.match(up.stderr, new RegExp(`✓ ${phase} \\d`), up.stderr);
  }
  const url = up.stdout.trim();
  assert.match(url, /^http:\/\/127\.0\.0\.1:3\d{4}\/$/);

  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /The Longshore guestbook/);
  const written = await fetch(`${url}entries`, { method: 'POST', body: JSON.stringify({ name: 'Ada', text: 'was here' }) });
  assert.equal(written.status, 201, await written.text());
  const { entries } = (await (await fetch(`${url}entries`)).json()) as { entries: { name: string }[] };
  assert.deepEqual(entries.map(({ name }) => name), ['Ada']);

  const { instance } = JSON.parse((await longshore('status', '-o', 'json')).stdout) as { instance: string };
  const shell = Object.fromEntries([...(await longshore('env')).stdout.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm)].map(([, name, value]) => [name!, value!]));
  const images = await run('docker', ['images', '--format', '{{.Repository}}'], shell);
  assert.deepEqual(images.stdout.trim().split('\n').filter((name) => name.startsWith('guestbook')).sort(), ['guestbook-api', 'guestbook-web'], images.stderr);
  const pods = await run('kubectl', ['get', 'pods', '-o', 'jsonpath={.items[*].status.phase}'], shell);
  assert.equal(pods.stdout, 'Running Running Running', pods.stderr);

  const again = await longshore('up', 'examples/guestbook');
  assert.equal(again.code, 0, again.stderr);
  assert.equal(again.stdout, up.stdout);

  const down = await longshore('down');
  assert.equal(down.code, 0, down.stderr);
  assert.equal((await longshore('status')).code, 3);
  await assertNothingLeft(home, instance);
});

test('what can not be deployed is told before anything is started', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'ls-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const result = await run('./longshore', ['up', '/nonexistent/folder'], { LONGSHORE_HOME: home });
  assert.equal(result.code, 3);
  assert.match(result.stderr, /there is no folder \/nonexistent\/folder\n {2}→ Name a folder/);
  assert.deepEqual(await readdir(home), []);
  const unknown = await run('./longshore', ['upp'], { LONGSHORE_HOME: home });
  assert.equal(unknown.code, 2);
});

/** No mount, link, nft table, control group or process with the instance's mark. */
async function assertNothingLeft(home: string, instance: string): Promise<void> {
  assert.equal((await readFile('/proc/self/mounts', 'utf8')).includes(home), false, 'a mount is left');
  const links = await readdir('/sys/class/net');
  assert.deepEqual(links.filter((name) => name.startsWith(`ls${instance.slice(0, 4)}`)), []);
  assert.equal((await run('nft', ['list', 'tables'], {})).stdout.includes(instance), false, 'an nft table is left');
  const groups = await run('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', `longshore-${instance}`], {});
  assert.equal(groups.stdout, '');
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''); // it ended meanwhile
    assert.equal(command.includes(home), false, `process ${pid} is left: ${command}`);
  }
}
