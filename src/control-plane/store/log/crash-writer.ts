/**
 * The child process of crash.test.ts: `crash-writer.ts FOLDER SEED COUNT`. Four
 * hands write to the store in FOLDER, COUNT times each, and compact now and
 * then. Each answer goes to standard output at once, one line each:
 * `ack REVISION KEY VALUE`, `fail CODE KEY VALUE`, `compacted REVISION`.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../../lib/clock.ts';
import { errorCode } from '../../../lib/errors.ts';
import { silentLogger } from '../../../lib/log.ts';
import { openLogStore } from './open-log-store.ts';

const [path = '', seed = '', count = ''] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);

const store = await openLogStore({ path, clock: systemClock, logger: silentLogger, segmentBytes: 4_000, checkpointBytes: 6_000 });
say('open');

async function hand(name: number): Promise<void> {
  for (let n = 0; n < Number(count); n++) {
    const key = `k${name}${n % 7}`;
    const value = `${seed}-${name}-${n}-${'x'.repeat((n * 37) % 200)}`;
    try {
      const { revision } = await store.txn({ compare: [], success: [{ type: 'put', key, value: Buffer.from(value) }] });
      say(`ack ${revision} ${key} ${value}`);
    } catch (error) {
      say(`fail ${errorCode(error)} ${key} ${value}`);
    }
    if (n % 10 !== 9) continue;
    const to = Math.max(1, store.revision - 20);
    try {
      await store.compact(to);
      say(`compacted ${to}`);
    } catch (error) {
      say(`fail ${errorCode(error)}`);
    }
  }
}

await Promise.all([0, 1, 2, 3].map(hand));
await store.close();
say('closed');
