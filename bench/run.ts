/**
 * `npm run bench [-- --only ROW,…] [-o json] [--no-peers]`: measures the rows
 * of the table of budgets, ours and the real peers' in turns, and prints a
 * table. Peers are looked for where tools/peers builds them. A figure in
 * parentheses is the peer's of an earlier day, on a machine like this one.
 * Needs root, docker, kubectl, wrk and h2load.
 */
import { parseArgs } from 'node:util';
import { removeProgram } from './lib/program.ts';
import type { Measurement, Row } from './lib/row.ts';
import { PeerMissing, Stage } from './lib/stage.ts';
import { median } from './lib/statistics.ts';
import { formatTable, judge, type Result } from './lib/table.ts';
import { ROWS } from './rows/index.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    output: { type: 'string', short: 'o', default: 'table' },
    peers: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);

function selected(): readonly Row[] {
  if (values.only === undefined) return ROWS;
  return values.only.split(',').map((name) => {
    const row = ROWS.find((row) => row.name === name);
    if (row === undefined) throw new Error(`there is no row ${name}; there are ${ROWS.map((row) => row.name).join(', ')}`);
    return row;
  });
}

async function measure(row: Row, stage: Stage): Promise<Result> {
  const ours: Measurement[] = [];
  const peer: Measurement[] = [];
  const { name, what, unit, budget } = row;
  try {
    for (let round = 0; round < row.rounds; round++) {
      ours.push(await row.ours(stage));
      if (row.peer !== undefined && values.peers) await row.peer(stage).then((value) => peer.push(value), (error: unknown) => {
        if (!(error instanceof PeerMissing)) throw error;
        if (round === 0) say(`  no peer: ${error.message}`);
      });
    }
  } catch (error) {
    return { name, what, unit, budget, recorded: false, failure: `failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}` };
  }
  const value = median(ours.map(({ value }) => value));
  const peers = peer.length > 0 ? median(peer.map(({ value }) => value)) : row.recorded;
  const oursNote = ours.at(-1)?.note;
  const peerNote = peer.at(-1)?.note;
  return {
    name, what, unit, budget, ours: value, recorded: peer.length === 0, ...judge(row, value, peers),
    ...(peers !== undefined && { peer: peers }), ...(oursNote !== undefined && { oursNote }), ...(peerNote !== undefined && { peerNote }),
  };
}

const results: Result[] = [];
try {
  await using stage = new Stage();
  for (const row of selected()) {
    const result = await measure(row, stage);
    results.push(result);
    say(
      `${row.name}: ours ${result.ours?.toPrecision(3) ?? '-'} ${row.unit}, peer ${result.peer?.toPrecision(3) ?? '-'}${result.recorded ? ' (recorded)' : ''}, ratio ${result.ratio?.toPrecision(2) ?? '-'} ${result.failure ?? (result.met === true ? 'met' : 'MISSED')}`,
    );
  }
} catch (error) {
  // What was measured is shown all the same.
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await removeProgram();
}
process.stdout.write(values.output === 'json' ? `${JSON.stringify(results, undefined, 2)}\n` : `${formatTable(results)}\n`);
