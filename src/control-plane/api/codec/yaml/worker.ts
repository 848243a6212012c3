/** The thread that reads large YAML. This module is both ends: the thread runs it anew, and then serves. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { readYaml } from './read.ts';

const ROLE = 'longshore-yaml';
/** MiB. More than any text that is read at all can take: a thread that reaches its bound may take the process with it. */
const MAX_HEAP_MIB = 1024;

export function startYamlWorker(): Worker {
  const worker = new Worker(new URL(import.meta.url), { workerData: ROLE, name: 'yaml', resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB } });
  worker.unref();
  return worker;
}

if (!isMainThread && workerData === ROLE) {
  parentPort!.on('message', (source: string) => {
    void readYaml(source).then((read) => parentPort!.postMessage(read, []));
  });
}
