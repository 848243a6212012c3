import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../lib/errors.ts';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus } from '../cri/cri.ts';
import { podFolder } from '../volumes/volumes.ts';
import { allContainers } from './plan.ts';
import type { PodView } from './view.ts';

/** A message may be so long, in bytes; of a log, so many lines and bytes are taken. */
const MESSAGE_BYTES = 4096;
const LOG_LINES = 80;
const LOG_BYTES = 2048;

/**
 * The view with the messages that ended containers left in their files; without one, the policy may ask for the end of
 * the log. `folder` is the node's.
 */
export async function withLastWords(folder: string, pod: Pod, view: PodView): Promise<PodView> {
  const containers = new Map(view.containers);
  for (const container of allContainers(pod)) {
    const run = containers.get(container.name);
    if (run?.latest.state !== 'CONTAINER_EXITED' || run.latest.message) continue;
    const message = await lastWords(folder, pod, container, run.latest);
    if (message) containers.set(container.name, { ...run, latest: { ...run.latest, message } });
  }
  return { ...view, containers };
}

async function lastWords(folder: string, pod: Pod, container: Container, run: CriContainerStatus): Promise<string> {
  const text = await readText(join(podFolder(folder, pod.metadata?.uid ?? ''), 'containers', container.name, 'termination-log'));
  if (text !== '') return text.slice(0, MESSAGE_BYTES);
  if (container.terminationMessagePolicy !== 'FallbackToLogsOnError' || run.exitCode === 0 || run.logPath === '') return '';
  const log = await readText(run.logPath);
  return log.trimEnd().split('\n').slice(-LOG_LINES).map((line) => line.split(' ').slice(3).join(' ')).join('\n').slice(-LOG_BYTES);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''; // It never wrote a line.
    throw error;
  }
}
