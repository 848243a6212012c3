import { readFile, readdir, rm } from 'node:fs/promises';
import { isErrno, messageOf } from '../../lib/errors.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import type { Context } from './context.ts';
import { Entry } from './entry.ts';
import type { SavedContainer, SavedState } from './entry.ts';
import { scheduleRestart, watch } from './exit.ts';
import { startHealthChecks } from './health.ts';
import { removeEntry } from './remove.ts';
import { adoptRoot } from './root.ts';

/**
 * Finds the containers of an earlier daemon as they are now: those that run are taken up, those that ended meanwhile get their exit code,
 * those that were on their way out are removed, and those whose policy says so start again.
 */
export async function recoverAll(context: Context, networks: (live: ReadonlySet<string>) => Promise<void>): Promise<void> {
  const found: { entry: Entry; runtime: RuntimeContainer | undefined }[] = [];
  for (const id of await readdir(context.folder)) {
    const folder = `${context.folder}/${id}`;
    const saved = await readJson<SavedContainer>(`${folder}/container.json`);
    if (saved === undefined) {
      await removeLeftover(context, id, folder);
      continue;
    }
    const entry = new Entry(folder, saved, await readJson<SavedState>(`${folder}/state.json`));
    context.entries.set(entry.id, entry);
    context.names.set(entry.name, entry.id);
    entry.releaseImage = context.images.lease(entry.spec.image.id);
    // Also one that was just being started when the daemon was killed: its state says nothing of it yet.
    found.push({ entry, runtime: await recoverRuntime(context, entry) });
  }
  const live = new Set(found.filter(({ runtime }) => runtime?.pid !== undefined).map(({ entry }) => entry.id));
  await networks(live);
  await Promise.all(found.map(({ entry, runtime }) => settle(context, entry, runtime)));
}

async function recoverRuntime(context: Context, entry: Entry): Promise<RuntimeContainer | undefined> {
  try {
    return await context.runtime.recover(entry.id, entry.bundle);
  } catch (error) {
    context.logger.warn('a container was not taken up', { container: entry.short, error: messageOf(error) });
    return undefined;
  }
}

async function settle(context: Context, entry: Entry, runtime: RuntimeContainer | undefined): Promise<void> {
  const { status } = entry.state;
  const wasRunning = status === 'running' || status === 'paused';
  if (runtime?.pid !== undefined && wasRunning) {
    adoptRoot(context, entry);
    watch(context, entry, runtime, entry.state.netns);
    startHealthChecks(context, entry);
    return;
  }
  if (runtime?.pid !== undefined) {
    // Made, perhaps let go, but nobody was told: it never started, as far as anybody knows.
    await takeDown(context, entry, runtime);
    return;
  }
  if (wasRunning && runtime !== undefined) {
    // It ended while nobody looked. The usual way notes it, restarts or removes it.
    adoptRoot(context, entry);
    watch(context, entry, runtime, undefined);
    await entry.run?.noted;
    return;
  }
  await takeDown(context, entry, runtime);
  if (wasRunning) {
    // Nothing of it is left: the machine was started anew.
    entry.change({ status: 'exited', pid: undefined, endpoints: [], exit: { code: 255, oomKilled: false, finishedMs: context.clock.now() } });
    await entry.save();
  }
  if (entry.spec.autoRemove && entry.state.status === 'exited') {
    await entry.exclusive(() => removeEntry(context, entry, { volumes: true }));
    return;
  }
  const { name } = entry.spec.restart;
  if (status === 'created') return;
  if (name === 'always' || (name === 'unless-stopped' && !entry.state.stoppedByUser) || status === 'restarting') {
    entry.change({ status: 'restarting', stoppedByUser: false });
    scheduleRestart(context, entry, 0, status === 'restarting');
  }
}

async function takeDown(context: Context, entry: Entry, runtime: RuntimeContainer | undefined): Promise<void> {
  await runtime?.remove();
  await context.host.mounts.unmount(entry.rootfs);
  await context.networks.removeNamespace(entry.id);
}

/** What is left of a container that was removed, or whose creation was never answered. */
async function removeLeftover(context: Context, id: string, folder: string): Promise<void> {
  const runtime = await context.runtime.recover(id, `${folder}/bundle`);
  await runtime?.remove();
  await context.host.mounts.unmount(`${folder}/rootfs`);
  await context.networks.removeNamespace(id);
  await context.images.snapshots.remove(id);
  await rm(folder, { recursive: true, force: true });
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
