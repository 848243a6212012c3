/**
 * The worker thread that unpacks and packs layers: starts with the first job and
 * stops when it has been idle, since an idle thread holds some 10 MiB.
 * This module is both ends: the thread runs it anew, and then serves.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { ErrorCode } from '../../../lib/errors.ts';
import { rmSync } from 'node:fs';
import { Ingest } from './ingest-job.ts';
import type { Ingested } from './ingest-job.ts';
import type { ToIngest } from './ingest.ts';
import { packLayer } from './pack-job.ts';
import type { PackJob, Packed } from './pack-job.ts';
import { settleLayer } from './settle-job.ts';
import type { Settled, SettleJob } from './settle-job.ts';
import { unpackLayer } from './unpack-job.ts';
import type { Unpacked, UnpackJob } from './unpack-job.ts';

import { copyTree, readInTree } from '../tree/copy-job.ts';
import type { TreeCopyJob, TreeReadJob } from '../tree/copy-job.ts';
import { digestTree } from '../tree/digest-job.ts';
import type { TreeDigestJob } from '../tree/digest-job.ts';
import { makeTreeFolder, removeStubs, resolveInTree } from '../tree/folder-jobs.ts';
import type { TreeFolderJob, TreeResolveJob, TreeStubsJob } from '../tree/folder-jobs.ts';

/** Deletes a tree. */
export interface RemoveJob {
  readonly kind: 'remove';
  readonly path: string;
}

export interface Jobs {
  readonly unpack: { readonly job: UnpackJob; readonly result: Unpacked };
  readonly pack: { readonly job: PackJob; readonly result: Packed };
  readonly settle: { readonly job: SettleJob; readonly result: Settled };
  readonly remove: { readonly job: RemoveJob; readonly result: undefined };
  readonly 'tree-copy': { readonly job: TreeCopyJob; readonly result: undefined };
  readonly 'tree-digest': { readonly job: TreeDigestJob; readonly result: string };
  readonly 'tree-read': { readonly job: TreeReadJob; readonly result: string | undefined };
  readonly 'tree-folder': { readonly job: TreeFolderJob; readonly result: boolean };
  readonly 'tree-resolve': { readonly job: TreeResolveJob; readonly result: ReturnType<typeof resolveInTree> };
  readonly 'tree-stubs': { readonly job: TreeStubsJob; readonly result: boolean };
}

export type Job = Jobs[keyof Jobs]['job'];

export type ToWorker = { readonly id: number; readonly job: Job } | { readonly id: number; readonly abort: true } | ({ readonly id: number } & ToIngest);
export type FromWorker =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly freed: number }
  | { readonly id: number; readonly ingested: Ingested | undefined }
  | { readonly id: number; readonly progress: number }
  | {
      readonly id: number;
      readonly error: {
        readonly message: string;
        readonly code?: string;
        readonly longshore?: ErrorCode;
        readonly object?: string;
        readonly remedy?: string;
      };
    };

const ROLE = 'longshore-layers';

export function startLayerWorker(): Worker {
  return new Worker(new URL(import.meta.url), { workerData: ROLE, name: 'layers', trackUnmanagedFds: false, resourceLimits: { maxOldGenerationSizeMb: 256 } });
}

/** Takes one job at a time; the next waits in the port. Blobs that come in pieces are taken beside it: their sender may be slow. */
function serve(): void {
  const running = new Map<number, AbortController>();
  const ingests = new Map<number, Ingest>();
  let queue = Promise.resolve();
  parentPort!.on('message', (message: ToWorker) => {
    if (!('abort' in message) && !('job' in message)) {
      takePiece(ingests, message);
      return;
    }
    if ('abort' in message) {
      running.get(message.id)?.abort(new LongshoreError('canceled', 'the operation was cancelled'));
      return;
    }
    const { id, job } = message;
    const controller = new AbortController();
    running.set(id, controller);
    queue = queue.then(async () => {
      const reply = await perform(id, job, controller.signal);
      running.delete(id);
      parentPort!.postMessage(reply, []);
    });
  });
}

function takePiece(ingests: Map<number, Ingest>, message: { readonly id: number } & ToIngest): void {
  const { id } = message;
  const fail = (error: unknown): void => {
    ingests.delete(id);
    parentPort!.postMessage({ id, error: describe(error) } satisfies FromWorker, []);
  };
  if ('ingest' in message) {
    try {
      ingests.set(id, new Ingest(message.ingest, (freed) => parentPort!.postMessage({ id, freed } satisfies FromWorker, []), fail));
    } catch (error) {
      fail(error);
    }
    return;
  }
  const ingest = ingests.get(id);
  if (!ingest) return; // it failed, which was said
  if ('slot' in message) {
    ingest.take(message.slot, message.length);
    return;
  }
  const done = (ingested: Ingested | undefined): void => {
    ingests.delete(id);
    parentPort!.postMessage({ id, ingested } satisfies FromWorker, []);
  };
  if ('give' in message) ingest.abort().then(() => done(undefined), fail);
  else ingest.end().then((ingested) => ingested && done(ingested), fail);
}

async function perform(id: number, job: Job, signal: AbortSignal): Promise<FromWorker> {
  try {
    signal.throwIfAborted();
    switch (job.kind) {
      case 'unpack':
        return { id, result: await unpackLayer(job, signal, (progress) => parentPort!.postMessage({ id, progress } satisfies FromWorker, [])) };
      case 'pack':
        return { id, result: await packLayer(job, signal) };
      case 'settle':
        return { id, result: settleLayer(job) };
      case 'tree-copy':
        await copyTree(job, signal);
        return { id, result: undefined };
      case 'tree-digest':
        return { id, result: digestTree(job) };
      case 'tree-read':
        return { id, result: readInTree(job) };
      case 'tree-folder':
        return { id, result: makeTreeFolder(job) };
      case 'tree-resolve':
        return { id, result: resolveInTree(job) };
      case 'tree-stubs':
        return { id, result: removeStubs(job) };
      case 'remove':
        rmSync(job.path, { recursive: true, force: true });
        return { id, result: undefined };
      default:
        throw new Error('unknown job');
    }
  } catch (error) {
    return { id, error: describe(error) };
  }
}

function describe(error: unknown): Extract<FromWorker, { error: unknown }>['error'] {
  if (error instanceof LongshoreError) {
    return {
      message: error.message,
      longshore: error.code,
      ...(error.object === undefined ? {} : { object: error.object }),
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    };
  }
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return { message: messageOf(error), ...(typeof code === 'string' ? { code } : {}) };
}

if (!isMainThread && workerData === ROLE) serve();
