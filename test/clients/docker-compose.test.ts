import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startEngine } from './docker-engine.ts';
import type { TestEngine } from './docker-engine.ts';

/** Where tools/clients.sh puts what it builds. */
const clients = process.env['LONGSHORE_CLIENTS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'longshore/clients');
const program = (await readdir(clients).catch(() => [])).find((name) => name.startsWith('compose-')); // an empty list: it could not be built
const skip = program === undefined ? 'compose is not there (tools/clients.sh builds it)' : false;

let engine: TestEngine;
before(async () => {
  engine = await startEngine();
});
after(() => engine.close());

async function compose(...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(join(clients, program!), args, {
    cwd: join(engine.folder, 'project'),
    env: { ...process.env, DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: join(engine.folder, 'config') },
    timeout: 60_000,
  });
  return stdout + stderr;
}

test('up waits for health, services find each other, a change recreates, down leaves nothing', { skip }, async () => {
  const folder = join(engine.folder, 'project');
  await mkdir(folder);
  const file = (text: string): Promise<void> => writeFile(join(folder, 'compose.yaml'), `name: shop
services:
  web:
    image: busybox
    command: httpd -f -p 80 -h /root
    stop_signal: SIGKILL
    ports: ["127.0.0.1:0:80"]
    depends_on: { db: { condition: service_healthy } }
    environment: { GREETING: ${text} }
    volumes: ["data:/data", "./page:/root:ro"]
  db:
    image: busybox
    command: sleep 1000
    stop_signal: SIGKILL
    healthcheck: { test: ["CMD", "true"], interval: 100ms }
    deploy: { resources: { limits: { memory: 64M } } }
volumes: { data: {} }
`);
  await file('hello');
  await mkdir(join(folder, 'page'));
  await writeFile(join(folder, 'page/index.html'), 'a page\n');
  await compose('up', '-d');
  assert.match(await compose('ps', '--format', '{{.Service}} {{.State}} {{.Health}}'), /db running healthy/);
  assert.match(await compose('exec', '-T', 'db', 'wget', '-qO-', 'http://web/'), /a page/);
  const port = (await compose('port', 'web', '80')).trim().split(':').at(-1)!;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'a page\n');
  const before = await compose('ps', '-q', 'web');
  await file('bye');
  await compose('up', '-d');
  assert.notEqual(await compose('ps', '-q', 'web'), before);
  assert.match(await compose('exec', '-T', 'web', 'sh', '-c', 'echo $GREETING'), /bye/);
  await compose('up', '-d', '--scale', 'db=3', '--no-recreate');
  assert.equal((await compose('ps', '-q', 'db')).trim().split('\n').length, 3);
  await compose('down', '-v', '-t', '1');
  assert.equal(await engine.ok('ps', '-aq'), '');
  assert.equal(await engine.ok('volume', 'ls', '-q'), '');
  assert.equal(await engine.ok('network', 'ls', '--filter', 'type=custom', '-q'), '');
});
