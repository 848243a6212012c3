import { readFile } from 'node:fs/promises';
import { LongshoreError, isErrno } from '../../lib/errors.ts';
import { cgroupOf, notRunning } from './context.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';

type Table = { readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] };

/** What USER_HZ is on every architecture that Linux runs containers on. */
const TICKS_PER_SECOND = 100;

/** The processes of a container as `ps -ef` shows them, read from /proc; other arguments go to the host's own ps. */
export async function processesOf(context: Context, entry: Entry, psArgs = '-ef'): Promise<Table> {
  if (entry.run === undefined) throw notRunning(entry);
  const pids = await context.host.cgroups.processes(cgroupOf(context, entry));
  if (psArgs === '' || psArgs === '-ef') return standard(context, pids);
  return byPs(context, pids, psArgs);
}

async function standard(context: Context, pids: readonly number[]): Promise<Table> {
  const [names, uptime] = await Promise.all([userNames(), readFile('/proc/uptime', 'utf8')]);
  const bootMs = context.clock.now() - Number.parseFloat(uptime) * 1000;
  const rows: string[][] = [];
  for (const pid of [...pids].sort((a, b) => a - b)) {
    const row = await rowOf(pid, names, bootMs, context.clock.now());
    if (row !== undefined) rows.push(row);
  }
  return { titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], rows };
}

async function rowOf(pid: number, names: ReadonlyMap<number, string>, bootMs: number, nowMs: number): Promise<string[] | undefined> {
  let stat: string, status: string, cmdline: string;
  try {
    [stat, status, cmdline] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined; // it ended meanwhile
    throw error;
  }
  // The name in parentheses may hold anything, spaces and parentheses included.
  const close = stat.lastIndexOf(')');
  const command = stat.slice(stat.indexOf('(') + 1, close);
  const fields = stat.slice(close + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const startMs = bootMs + (Number(fields[19]) / TICKS_PER_SECOND) * 1000;
  const seconds = Math.floor(ticks / TICKS_PER_SECOND);
  const livedSeconds = Math.max((nowMs - startMs) / 1000, 1);
  const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const text = cmdline.replace(/\0+$/, '').replaceAll('\0', ' ');
  return [
    names.get(uid) ?? String(uid),
    String(pid),
    fields[1]!,
    String(Math.min(99, Math.floor((ticks / TICKS_PER_SECOND / livedSeconds) * 100))),
    startTime(startMs, nowMs),
    terminalName(Number(fields[4])),
    [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map((n) => String(n).padStart(2, '0')).join(':'),
    text === '' ? `[${command}]` : text,
  ];
}

function startTime(startMs: number, nowMs: number): string {
  const start = new Date(startMs);
  if (nowMs - startMs < 24 * 3600 * 1000) {
    return `${String(start.getHours()).padStart(2, '0')}:${String(start.getMinutes()).padStart(2, '0')}`;
  }
  return `${start.toLocaleString('en-US', { month: 'short' })}${String(start.getDate()).padStart(2, '0')}`;
}

function terminalName(device: number): string {
  if (device === 0) return '?';
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return major >= 136 && major <= 143 ? `pts/${minor + (major - 136) * 256}` : `tty${minor}`;
}

async function userNames(): Promise<ReadonlyMap<number, string>> {
  const text = await readFile('/etc/passwd', 'utf8');
  return new Map(text.split('\n').map((line) => line.split(':')).filter((fields) => fields.length > 2).map((fields) => [Number(fields[2]), fields[0]!]));
}

async function byPs(context: Context, pids: readonly number[], psArgs: string): Promise<Table> {
  const args = psArgs.split(/\s+/).filter((arg) => arg !== '');
  const { code, stdout, stderr } = await context.host.spawn.run('ps', args, { timeoutMs: 10_000 });
  if (code !== 0) throw new LongshoreError('invalid', `ps: ${stderr.trim()}`, { object: `ps ${psArgs}` });
  const [head = '', ...lines] = stdout.toString('utf8').split('\n');
  const titles = head.trim().split(/\s+/);
  const at = titles.indexOf('PID');
  if (at < 0) {
    throw new LongshoreError('invalid', "Couldn't find PID field in ps output", {
      object: `ps ${psArgs}`,
      remedy: 'Ask for the column PID as well.',
    });
  }
  const wanted = new Set(pids.map(String));
  const rows = lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => wanted.has(fields[at] ?? ''))
    .map((fields) => [...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(' ')]);
  return { titles, rows };
}
