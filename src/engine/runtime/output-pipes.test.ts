import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { OutputPipes } from './output-pipes.ts';
import { spawnProcess } from './spawn.ts';

async function run(script: string): Promise<{ readonly input: Socket; readonly output: OutputPipes; readonly ended: Promise<number> }> {
  const { pipes, ended } = await spawnProcess({
    file: '/bin/sh',
    args: ['-c', script],
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['reads', 'writes', 'writes'],
  });
  const [input, stdout, stderr] = pipes as [Socket, Socket, Socket];
  return { input, output: new OutputPipes(stdout, stderr), ended };
}

test('what was written before anybody reads is told in the order in which it was written', async () => {
  for (let n = 0; n < 10; n++) {
    const { input, output, ended } = await run('read line; echo e1 >&2; echo o1; echo e2 >&2');
    // Listening begins with the event loop's next turn, and the one after it looks at the pipes.
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    input.end('go\n');
    assert.equal(await ended, 0);
    const names: string[] = [];
    output.read((name) => names.push(name));
    await output.closed;
    await Promise.resolve(); // What came early is told once the reader has come to rest.
    assert.equal(names[0], 'stderr');
    assert.ok(names.includes('stdout'));
  }
});

test('more than is kept early waits in the pipe until somebody reads', async () => {
  const { output, ended } = await run('head -c 1000000 /dev/zero; echo bad >&2');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const bytes = { stdout: 0, stderr: 0 };
  output.read((name, _socket, data) => (bytes[name] += data.length));
  await output.closed;
  assert.deepEqual([bytes, await ended], [{ stdout: 1_000_000, stderr: 4 }, 0]);
});

test('the complaint of a process that failed is whole, also when nobody read before', async () => {
  const { output, ended } = await run('echo out; echo cannot >&2; echo do this >&2; exit 1');
  assert.equal(await ended, 1);
  assert.equal(await output.complaint(), 'cannot\ndo this\n');
});
