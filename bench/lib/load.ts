import { join } from 'node:path';
import { command } from './command.ts';
import type { Measurement } from './row.ts';
import type { KubeSide } from './side.ts';

const SECONDS = 4;
const loads = join(import.meta.dirname, '../load');

/**
 * Requests per second that wrk gets through, HTTP/1.1 over TLS.
 * @throws Error when any answer is not the wanted one
 */
export async function wrk(
  side: KubeSide,
  options: { readonly path?: string; readonly script?: string; readonly args?: readonly string[]; readonly connections?: number },
): Promise<Measurement> {
  const { path = '/', script, args = [], connections = 32 } = options;
  const what = script === undefined ? ['-H', `Authorization: Bearer ${side.token}`] : ['-s', join(loads, script)];
  const { stdout } = await command('wrk', [
    '-t1',
    `-c${connections}`,
    `-d${SECONDS}s`,
    '--latency',
    '--timeout',
    '20s',
    ...what,
    side.url + path,
    '--',
    side.token,
    ...args,
  ]);
  if (/Non-2xx|refused with/.test(stdout)) throw new Error(`wrk met errors:\n${stdout.slice(0, 800)}`);
  return { value: figure(stdout, /Requests\/sec:\s+([\d.]+)/), note: `p99 ${/99%\s+(\S+)/.exec(stdout)?.[1] ?? '?'}` };
}

/** Requests per second that h2load gets through over TLS, with HTTP/2 or HTTP/1.1. */
export async function h2load(side: KubeSide, path: string, protocol: 'h2' | 'http/1.1'): Promise<Measurement> {
  const shape = protocol === 'h2' ? ['-c8', '-m4'] : ['-c32', '--h1'];
  const { stdout } = await command('h2load', [...shape, '-t1', '-D', String(SECONDS), '-H', `Authorization: Bearer ${side.token}`, side.url + path]);
  const statuses = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(stdout);
  if (statuses === null || statuses.slice(2).some((count) => count !== '0') || statuses[1] === '0') {
    throw new Error(`h2load met errors:\n${stdout.slice(0, 800)}`);
  }
  return { value: Number(statuses[1]) / SECONDS };
}

function figure(text: string, pattern: RegExp): number {
  const found = pattern.exec(text);
  if (found === null) throw new Error(`no figure in:\n${text.slice(0, 800)}`);
  return Number(found[1]);
}
