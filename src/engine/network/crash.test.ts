// kill -9 at any point: what is live serves on, what was half-made goes, and nothing is left.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openHost } from '../../host/open.ts';
import { linkPrefix } from '../../host/tables.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { hexId, systemRandom } from '../../lib/random.ts';
import { openNetworks } from './open.ts';

const KILLS = 6;
const host = await openHost();
const open = (folder: string, instance: string) =>
  openNetworks({
    host,
    folder,
    instance,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    pools: [{ base: `198.19.${(process.pid % 32) * 8}.0/21`, size: 26 }],
  });

/** In the child: containers come and go without end; one stays. */
async function churn(folder: string, instance: string): Promise<never> {
  const networks = await open(folder, instance);
  const { id } = await networks.get('bridge');
  await networks.recover(new Set(['stays']));
  const connect = async (name: string): Promise<void> => {
    const netns = await networks.createNamespace(name);
    await networks.connect(id, { containerId: name, netns, linkName: 'eth0', ports: [{ containerPort: 80, protocol: 'tcp' }] });
  };
  if ((await networks.get('bridge')).endpoints.length === 0) await connect('stays');
  await networks.prune();
  process.send?.('ready');
  for (let n = 0; ; n++) {
    const names = [`a${n}`, `b${n}`];
    await Promise.all(names.map(connect));
    await networks.create({ name: `net${n}` });
    await Promise.all(names.map(async (name) => {
      await networks.disconnect(id, name);
      await networks.removeNamespace(name);
    }));
    await networks.remove(`net${n}`);
  }
}

const [folderArgument, instanceArgument] = process.argv.slice(2);
if (process.send && folderArgument !== undefined && instanceArgument !== undefined) await churn(folderArgument, instanceArgument);
else {
  test(`${KILLS} kills while containers come and go`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-crash-'));
    const instance = hexId(systemRandom, 4);
    const prefix = linkPrefix(instance);
    let address: string | undefined;
    after(async () => {
      const networks = await open(folder, instance);
      await networks.destroy();
      assert.deepEqual((await host.links.list()).filter((link) => link.name.startsWith(prefix)), []);
      assert.deepEqual(await host.mounts.beneath(folder), []);
      await rm(folder, { recursive: true });
    });
    for (let n = 0; n < KILLS; n++) {
      const child = fork(import.meta.filename, [folder, instance], { stdio: 'inherit', execArgv: [] });
      const exited = once(child, 'exit');
      await Promise.race([once(child, 'message'), exited.then(([code]) => assert.fail(`the child ended with ${code}`))]);
      await new Promise((resolve) => setTimeout(resolve, systemRandom.bytes(1)[0]! / 5));
      child.kill('SIGKILL');
      await exited;
      const networks = await open(folder, instance);
      await networks.recover(new Set(['stays']));
      const bridge = await networks.get('bridge');
      assert.deepEqual(bridge.endpoints.map((endpoint) => endpoint.containerId), ['stays']);
      address ??= bridge.endpoints[0]!.address;
      assert.equal(bridge.endpoints[0]!.address, address);
      assert.deepEqual(await readdir(join(folder, 'ids')), ['stays']);
      await networks.close();
      const bridges = new Set((await networks.list()).map((network) => network.bridgeName));
      const links = (await host.links.list()).map((link) => link.name).filter((name) => name.startsWith(prefix));
      assert.deepEqual(
        links.filter((name) => !bridges.has(name)),
        [(bridge.endpoints[0] as { hostLink?: string }).hostLink],
        'one link, of the one that stays',
      );
    }
  });
}
