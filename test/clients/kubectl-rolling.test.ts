import assert from 'node:assert/strict';
import { get, type Agent } from 'node:http';
import { after, before, test } from 'node:test';
import { deployment, eventually, startTestPlatform, type TestPlatform } from './platform.ts';

let platform: TestPlatform;
let ok: TestPlatform['ok'];

before(async () => {
  platform = await startTestPlatform({ images: ['node:24'] });
  ok = (...args) => platform.ok(...args);
});

after(() => platform.close());

/** Answers with its version; at SIGTERM ends connections after the answers that are under way. */
const SERVER = `
const server = require('node:http').createServer((request, response) => response.end(process.env.VERSION));
server.listen(8080);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
`;

const web = (version: string): object => deployment('web', {
  image: 'node:24', command: ['node', '-e', SERVER], env: [{ name: 'VERSION', value: version }], ports: [{ containerPort: 8080 }],
  readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
}, { replicas: 3, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }, { terminationGracePeriodSeconds: 20 });

/** Asks at a steady rate until it is told to stop. */
function load(address: string, perSecond: number, agent: Agent | undefined): { stop(): Promise<{ answers: Map<string, number>; failures: string[] }> } {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let open = 0;
  const one = (): void => {
    open++;
    const done = (failure?: string): void => {
      open--;
      if (failure !== undefined) failures.push(failure);
    };
    get(`http://${address}/`, { timeout: 10_000, ...(agent ? { agent } : { agent: false }) }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece)).once('end', () => {
        answers.set(text, (answers.get(text) ?? 0) + 1);
        done();
      }).once('error', (error) => done(error.message));
    }).once('error', (error) => done(error.message)).once('timeout', function (this: { destroy(error: Error): void }) {
      this.destroy(new Error('no answer within 10 s'));
    });
  };
  const timer = setInterval(one, 1000 / perSecond);
  return {
    async stop() {
      clearInterval(timer);
      await eventually('every request has ended', () => open === 0);
      return { answers, failures };
    },
  };
}

test('a rolling update under load drops no request, and neither does its undoing', async () => {
  await platform.apply(web('one'));
  await ok('rollout', 'status', 'deploy/web', '--timeout=60s');
  await ok('expose', 'deploy', 'web', '--port=80', '--target-port=8080', '--type=NodePort');
  const [ip, port] = (await ok('get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP} {.spec.ports[0].nodePort}')).split(' ');
  const addresses = [`127.0.0.1:${port}`, `${ip}:80`];
  for (const address of addresses) {
    await eventually(
      `${address} answers`,
      async () => (await (await fetch(`http://${address}/`, { headers: { connection: 'close' } })).text()) === 'one',
    );
  }

  for (const [verb, before, after] of [['update', 'one', 'two'], ['undo', 'two', 'one']] as const) {
    const loads = addresses.map((address) => load(address, 100, undefined));
    if (verb === 'update') await platform.apply(web(after));
    else await ok('rollout', 'undo', 'deploy/web');
    await ok('rollout', 'status', 'deploy/web', '--timeout=90s');
    await eventually('the old pods are gone', async () => (await ok('get', 'pods', '-l', 'app=web', '-o', 'name')).split('\n').length === 3);
    for (const each of loads) {
      const { answers, failures } = await each.stop();
      assert.deepEqual(failures, [], `${verb}: of ${[...answers.values()].reduce((a, b) => a + b, 0)} requests`);
      assert.deepEqual([...answers.keys()].sort(), [before, after].sort(), 'both versions answered, and nothing else');
    }
    for (const address of addresses) {
      assert.equal(await (await fetch(`http://${address}/`, { headers: { connection: 'close' } })).text(), after);
    }
  }
});
