import { watch } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import { command, UsageError } from './command.ts';

/** How much of the file's end is looked at for its last lines. */
const TAIL_BYTES = 1 << 20;
const PIECE_BYTES = 64 << 10;

export const cli = command(
  {
    about: "Shows the last lines of the daemon's log. Logs of containers and pods: docker logs, kubectl logs.",
    flags: {
      lines: { type: 'string', short: 'n', value: 'COUNT', describe: 'how many lines (default 100)' },
      follow: { type: 'boolean', short: 'f', describe: 'go on with what is written from now on, until interrupted' },
    },
  },
  async ({ home, interruption, print }, { follow, lines = '100' }) => {
    if (!/^\d+$/.test(lines)) throw new UsageError(`--lines ${lines} is not a count`);
    let file: FileHandle;
    try {
      file = await open(home.daemonLog);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) {
        throw new LongshoreError('not-found', `there is no log at ${home.daemonLog}`, { remedy: 'Start the platform with: longshore up' });
      }
      if (isErrno(error, 'EACCES')) {
        throw new LongshoreError('forbidden', `you may not read ${home.daemonLog}`, {
          object: home.daemonLog,
          remedy: 'Run it as root: sudo longshore logs',
        });
      }
      throw error;
    }
    await using kept = file;
    const { size } = await kept.stat();
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    await kept.read(tail, 0, tail.length, size - tail.length);
    const text = Number(lines) === 0 ? '' : tail.toString().trimEnd().split('\n').slice(-Number(lines)).join('\n');
    if (text !== '') print(text + '\n');
    if (follow) await followFile(kept, home.daemonLog, size, print, interruption());
    return 0;
  },
);

/** Prints what is appended from `from` on, until the signal. A file that was cut off is read from its start. */
async function followFile(file: FileHandle, path: string, from: number, print: (text: string) => void, signal: AbortSignal): Promise<void> {
  const buffer = Buffer.alloc(PIECE_BYTES);
  let at = from;
  let reading = Promise.resolve();
  const drain = async (): Promise<void> => {
    if ((await stat(path).catch(() => ({ size: at }))).size < at) at = 0; // it is gone: what was open can still grow
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      print(buffer.subarray(0, bytesRead).toString());
      at += bytesRead;
    }
  };
  await new Promise<void>((resolve, reject) => {
    const next = (): void => {
      reading = reading.then(drain);
      reading.catch(reject);
    };
    const watcher = watch(path, next);
    watcher.once('error', reject);
    signal.addEventListener('abort', () => {
      watcher.close();
      resolve();
    });
    next(); // what came before the watch began
  });
  await reading;
}
