/**
 * `npm run record [-- NAME…]`: sends the requests of the golden files to the
 * real peers, and writes their answers below them. A name is that of a file
 * below test/golden (`kube/configmap`), or how several begin (`docker`).
 * Review the outcome as a difference: `git diff test/golden`.
 */
import { formatAnswer } from './answer.ts';
import { startDockerPeer } from './docker-peer.ts';
import { dockerPlayer, importBusybox } from './docker-player.ts';
import { readScenarios, writeScenario } from './golden-files.ts';
import { exchange } from './exchange.ts';
import { startKubePeer, type KubeCompany } from './kube-peer.ts';
import { kubePlayer, preparations } from './kube-player.ts';
import { peerPrograms } from '../peers/folder.ts';
import { play, type Player } from './play.ts';
import type { Scenario, Step } from './scenario.ts';

const wanted = process.argv.slice(2);
const isWanted = (scenario: Scenario): boolean => wanted.length === 0 || wanted.some((name) => scenario.name.startsWith(name));

async function record(scenario: Scenario, player: Player, version: string): Promise<void> {
  const steps: Step[] = [];
  for await (const { step, answer } of play(scenario, player)) steps.push({ ...step, answer: formatAnswer(answer) });
  await writeScenario({ ...scenario, settings: new Map([...scenario.settings, ['recorded', version]]), steps });
  process.stderr.write(`${scenario.name}: ${steps.length} steps\n`);
}

async function recordKube(scenarios: readonly Scenario[], company: KubeCompany | undefined, flags: readonly string[]): Promise<void> {
  if (scenarios.length === 0) return;
  await using peer = await startKubePeer(peerPrograms(), company, flags);
  const player = kubePlayer(peer.endpoint, async () => await peer.compact());
  for (const scenario of scenarios) {
    for (const { target, body } of preparations(
      (scenario.settings.get('namespace') ?? '').split(' ').filter((name) => name !== ''),
      company === 'controllers',
    )) {
      const answer = await exchange(peer.endpoint, {
        method: 'POST',
        target,
        headers: { Authorization: 'Bearer admin', 'Content-Type': 'application/json' },
        body: Buffer.from(JSON.stringify(body)),
        timeoutMs: 5000,
      });
      if (answer.status !== 201) throw new Error(`${scenario.name}: POST ${target} answered ${answer.status}: ${answer.body.toString()}`);
    }
    await record(scenario, player, peer.version);
  }
}

async function recordDocker(scenarios: readonly Scenario[]): Promise<void> {
  if (scenarios.length === 0) return;
  await using peer = await startDockerPeer(peerPrograms());
  await importBusybox(peer.endpoint);
  const player = dockerPlayer(peer.endpoint, peer.folder);
  for (const scenario of scenarios) await record(scenario, player, peer.version);
}

const kube = (await readScenarios('kube')).filter(isWanted);
// Scenarios that ask for the same company and flags share a peer.
const groups = Map.groupBy(kube, ({ settings }) => `${settings.get('with') ?? ''} ${settings.get('flags') ?? ''}`);
for (const group of groups.values()) {
  const { settings } = group[0]!;
  await recordKube(group, settings.get('with') as KubeCompany | undefined, settings.get('flags')?.split(' ') ?? []);
}
await recordDocker((await readScenarios('docker')).filter(isWanted));
