import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, cp, mkdir, mkdtemp, readdir, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const project = join(import.meta.dirname, '..');
const BUILD = /^[0-9a-f]{16}$/;

/** A project with one part that is loaded only when a line of input asks for it. */
async function smallProject(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'build-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'src/cli'), { recursive: true });
  await mkdir(join(root, 'tools'));
  await writeFile(join(root, 'src/cli/part.ts'), "export const answer: string = 'the part of the first build';\n");
  await writeFile(
    join(root, 'src/cli/main.ts'),
    "console.log('ready');\nfor await (const _ of process.stdin) console.log((await import('./part.ts')).answer);\n",
  );
  return root;
}

async function build(root: string): Promise<string> {
  await run(process.execPath, [join(project, 'tools/build.ts'), root]);
  return readlink(join(root, 'dist/current'));
}

const builds = async (root: string): Promise<string[]> => (await readdir(join(root, 'dist'))).filter((name) => BUILD.test(name)).sort();

/** As if it had been replaced an hour ago. */
async function age(root: string, name: string): Promise<void> {
  const then = new Date(Date.now() - 3_600_000);
  await utimes(join(root, 'dist', name), then, then);
}

function start(t: TestContext, root: string, name: string): { readonly process: ChildProcess; readonly say: () => Promise<string> } {
  const child = spawn(process.execPath, [join(root, 'dist', name, 'longshore.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { process: child, say: async () => String((await lines.next()).value) };
}

test('a process goes on loading parts from its own build after the sources were built again', async (t) => {
  const root = await smallProject(t);
  const first = await build(root);
  assert.match(first, BUILD);
  const daemon = start(t, root, first);
  assert.equal(await daemon.say(), 'ready');

  await writeFile(join(root, 'src/cli/part.ts'), "export const answer: string = 'the part of the second build';\n");
  const second = await build(root);
  assert.notEqual(second, first);
  await age(root, first);
  await build(root); // prunes whatever may go
  assert.deepEqual(await builds(root), [first, second].sort());
  daemon.process.stdin!.write('go on\n');
  assert.equal(await daemon.say(), 'the part of the first build');

  daemon.process.kill('SIGKILL');
  await once(daemon.process, 'exit');
  await age(root, first);
  assert.equal(await build(root), second);
  assert.deepEqual(await builds(root), [second]);
});

test('a build that was replaced just now stays: a launcher may have read its name', async (t) => {
  const root = await smallProject(t);
  const first = await build(root);
  await age(root, first);
  await appendFile(join(root, 'src/cli/part.ts'), 'export const more = 1;\nconsole.log(more);\n');
  const second = await build(root);
  assert.deepEqual(await builds(root), [first, second].sort());
});

test('the same sources make the same build, also by two at once', async (t) => {
  const root = await smallProject(t);
  const names = await Promise.all([build(root), build(root)]);
  assert.equal(names[0], names[1]);
  assert.deepEqual(await builds(root), [names[0]]);
  assert.deepEqual((await readdir(join(root, 'dist'))).sort(), [names[0], 'built', 'current'].sort());
});

test('the launcher builds when a source is newer than the build, and not otherwise', async (t) => {
  const root = await smallProject(t);
  for (const name of ['longshore', 'tools/build.ts', 'tools/with-node.sh', 'tools/setup.sh']) {
    await cp(join(project, name), join(root, name));
  }
  await writeFile(join(root, 'package-lock.json'), '{}\n');
  await mkdir(join(root, 'node_modules'));
  await writeFile(join(root, 'node_modules/.longshore-lock'), '{}\n');
  for (const name of await readdir(join(project, 'node_modules'))) {
    if (!name.startsWith('.')) {
      await symlink(join(project, 'node_modules', name), join(root, 'node_modules', name));
    }
  }
  const launch = async (): Promise<string> => {
    const running = run(join(root, 'longshore'), [], { cwd: tmpdir() });
    running.child.stdin!.end('go on\n');
    return (await running).stdout;
  };
  assert.equal(await launch(), 'ready\nthe part of the first build\n');
  const [first] = await builds(root);
  await launch();
  assert.deepEqual(await builds(root), [first]);
  await writeFile(join(root, 'src/cli/part.ts'), "export const answer: string = 'the part of the second build';\n");
  assert.equal(await launch(), 'ready\nthe part of the second build\n');
});
