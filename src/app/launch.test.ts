import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { launchOf, relaunchAsServer } from './launch.ts';

test('what is set already is left as it is', () => {
  const launch = launchOf(['main.mjs', 'server'], { MALLOC_ARENA_MAX: '7' }, ['--max-semi-space-size=32', '--inspect']);
  assert.deepEqual(launch.args, ['--max-semi-space-size=32', '--inspect', 'main.mjs', 'server']);
  assert.equal(launch.environment.MALLOC_ARENA_MAX, '7');
  assert.equal(Object.entries(launch.environment).length, 3, 'the other setting of malloc, and the mark');
});

test('a server in the foreground has the settings, its pid and its words; what it starts does not take itself for one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'launch-'));
  t.after(() => rm(folder, { recursive: true }));
  const script = join(folder, 'main.ts');
  await writeFile(script, `import { relaunchAsServer } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'launch.ts')).href)};
relaunchAsServer(process);
const { pid, argv, execArgv, env } = process;
console.log(JSON.stringify({ pid, words: argv.slice(2), flags: execArgv, arenas: env.MALLOC_ARENA_MAX, launched: env.LONGSHORE_LAUNCHED }));\n`,
  );
  const child = spawn(process.execPath, [script, 'server', '--listen', 'a b'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.deepEqual(JSON.parse(output), { pid: child.pid, words: ['server', '--listen', 'a b'], flags: ['--max-semi-space-size=8'], arenas: '2' });
});

test('without execve it goes on as it is', () => {
  relaunchAsServer({ argv: ['node', 'main.ts', 'server'], execArgv: [], execPath: '/bin/node', env: {} });
});
