import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../lib/errors.ts';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus } from '../cri/cri.ts';
import { podFolder } from '../volumes/volumes.ts';
import { allContainers } from './plan.ts';
import type { PodView } from './view.ts';

/** A message may be so long, and all of a pod's together, in bytes; of a log, so many lines and bytes are taken. */
const MESSAGE_BYTES = 4096;
const POD_BYTES = 12 * 1024;
const LOG_LINES = 80;
const LOG_BYTES = 2048;
/** Each line of a log has its time, stream and tag before it. */
const LOG_READ_BYTES = LOG_BYTES + LOG_LINES * 64;

/**
 * The view with the messages that ended containers left in their files; without one, the policy may ask for the end of
 * the log. `folder` is the node's. A container may have written any amount to either: no more is read than is shown.
 */
export async function withLastWords(folder: string, pod: Pod, view: PodView): Promise<PodView> {
  const containers = new Map(view.containers);
  const all = allContainers(pod);
  const most = Math.min(MESSAGE_BYTES, Math.floor(POD_BYTES / Math.max(1, all.length)));
  for (const container of all) {
    const run = containers.get(container.name);
    if (run?.latest.state !== 'CONTAINER_EXITED' || run.latest.message) continue;
    const message = await lastWords(folder, pod, container, run.latest, most);
    if (message) containers.set(container.name, { ...run, latest: { ...run.latest, message } });
  }
  return { ...view, containers };
}

async function lastWords(folder: string, pod: Pod, container: Container, run: CriContainerStatus, most: number): Promise<string> {
  const text = await readPart(join(podFolder(folder, pod.metadata?.uid ?? ''), 'containers', container.name, 'termination-log'), 'start', most);
  if (text !== '') return text;
  if (container.terminationMessagePolicy !== 'FallbackToLogsOnError' || run.exitCode === 0 || run.logPath === '') return '';
  const log = await readPart(run.logPath, 'end', LOG_READ_BYTES);
  const lines = log.trimEnd().split('\n').slice(-LOG_LINES).map((line) => line.split(' ').slice(3).join(' ')).join('\n');
  return Buffer.from(lines).subarray(-Math.min(LOG_BYTES, most)).toString();
}

/** The first or last `bytes` of a file; empty when there is none. */
async function readPart(path: string, from: 'start' | 'end', bytes: number): Promise<string> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''; // It never wrote a line.
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size === 0) return '';
    const at = from === 'start' ? 0 : Math.max(0, size - bytes);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(bytes, size)), 0, undefined, at);
    const text = buffer.toString('utf8', 0, bytesRead);
    // The first of its lines is cut where the file is longer.
    return at > 0 ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    await file.close();
  }
}
