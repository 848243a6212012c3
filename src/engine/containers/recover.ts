import { readFile, readdir, rm } from 'node:fs/promises';
import { isErrno, messageOf } from '../../lib/errors.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import type { Context } from './context.ts';
import { Entry } from './entry.ts';
import type { SavedContainer, SavedState } from './entry.ts';
import { scheduleRestart, watch } from './exit.ts';
import { startHealthChecks } from './health.ts';
import { hasOwnMounts, releaseOwnMounts, removeImageLayers } from './mounts.ts';
import { removeEntry } from './remove.ts';
import { adoptRoot } from './root.ts';

/**
 * Finds the containers of an earlier daemon as they are now: those that run are taken up, those that ended meanwhile get their exit code,
 * those that were on their way out are removed, and those whose policy says so start again.
 */
export async function recoverAll(context: Context, networks: (live: ReadonlySet<string>) => Promise<void>): Promise<void> {
  const found: Found[] = [];
  const live = new Set<string>();
  for (const id of await readdir(context.folder)) {
    const folder = `${context.folder}/${id}`;
    const saved = await readJson(`${folder}/container.json`, isDescription);
    if (saved === DAMAGED) {
      context.logger.error('a container is left aside, for its description is damaged', {
        container: id.slice(0, 12),
        file: `${folder}/container.json`,
        remedy: `Restore the file, or remove ${folder}, and start again.`,
      });
      if ((await recoverRuntime(context, id, `${folder}/bundle`))?.pid !== undefined) live.add(id);
      continue;
    }
    if (saved === undefined) {
      await removeLeftover(context, id, folder);
      continue;
    }
    const state = await readJson(`${folder}/state.json`, isState);
    const entry = new Entry(folder, saved, state === DAMAGED ? undefined : state);
    context.entries.set(entry.id, entry);
    context.names.set(entry.name, entry.id);
    entry.releaseImage = context.images.lease(entry.spec.image.id);
    // Also one that was just being started when the daemon was killed: its state says nothing of it yet.
    const runtime = await recoverRuntime(context, id, entry.bundle);
    if (runtime?.pid !== undefined) live.add(id);
    found.push({ entry, runtime, damaged: state === DAMAGED });
  }
  await networks(live);
  await Promise.all(found.map((each) => settleOrSay(context, each)));
}

/** Where a container's network namespace is, by the description that its runtime was given. */
async function netnsOf(entry: Entry): Promise<string | undefined> {
  const config = JSON.parse(await readFile(`${entry.bundle}/config.json`, 'utf8')) as {
    readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] };
  };
  const network = config.linux?.namespaces?.find(({ type }) => type === 'network');
  return network === undefined ? 'host' : network.path;
}

interface Found {
  readonly entry: Entry;
  readonly runtime: RuntimeContainer | undefined;
  /** Its state could not be read: what the runtime knows is all there is. */
  readonly damaged: boolean;
}

/** One container that can't be settled, for whatever is wrong with it, does not keep the others from it. */
async function settleOrSay(context: Context, found: Found): Promise<void> {
  const { entry, runtime } = found;
  try {
    if (found.damaged) await rebuildState(context, found);
    await settle(context, entry, runtime);
  } catch (error) {
    context.logger.error('a container could not be brought to order', {
      container: entry.short,
      name: entry.name,
      error: messageOf(error),
      remedy: `Remove it: docker rm -f ${entry.name}`,
    });
    entry.change({
      error: messageOf(error),
      ...(entry.isRunning &&
        entry.run === undefined && {
          status: 'exited' as const,
          pid: undefined,
          exit: { code: 255, oomKilled: false, finishedMs: context.clock.now() },
        }),
    });
  }
}

/** Makes a state from what the runtime and the networks have. */
async function rebuildState(context: Context, { entry, runtime }: Found): Promise<void> {
  context.logger.error('the state of a container is damaged, and made anew from what is there', {
    container: entry.short,
    name: entry.name,
    file: `${entry.folder}/state.json`,
    runs: runtime?.pid !== undefined,
  });
  const endpoints = (await context.networks.list()).flatMap((network) =>
    network.endpoints.filter(({ containerId }) => containerId === entry.id),
  );
  if (runtime === undefined) {
    entry.change({
      status: 'exited',
      exit: { code: 255, oomKilled: false, finishedMs: context.clock.now() },
      error: 'the record of how it ended was damaged',
    });
  } else {
    entry.change({ status: 'running', pid: runtime.pid, startedMs: entry.createdMs, endpoints, netns: await netnsOf(entry) });
  }
  await entry.save();
}

async function recoverRuntime(context: Context, id: string, bundle: string): Promise<RuntimeContainer | undefined> {
  try {
    return await context.runtime.recover(id, bundle);
  } catch (error) {
    context.logger.warn('a container was not taken up', { container: id.slice(0, 12), error: messageOf(error) });
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
  if (hasOwnMounts(entry.spec)) await releaseOwnMounts(context, entry.folder);
  await context.networks.removeNamespace(entry.id);
}

/** What is left of a container that was removed, or whose creation was never answered. */
async function removeLeftover(context: Context, id: string, folder: string): Promise<void> {
  try {
    const runtime = await context.runtime.recover(id, `${folder}/bundle`);
    await runtime?.remove();
    await context.host.mounts.unmount(`${folder}/rootfs`);
    await releaseOwnMounts(context, folder);
    await context.networks.removeNamespace(id);
    await context.images.snapshots.remove(id);
    await removeImageLayers(context, id, folder);
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    context.logger.warn('what is left of a removed container could not be taken away; the next start tries again', {
      container: id.slice(0, 12),
      folder,
      error: messageOf(error),
    });
  }
}

const DAMAGED = Symbol('damaged');

/** Undefined where there is no such file; DAMAGED where it holds something else. */
async function readJson<T>(path: string, check: (value: unknown) => value is T): Promise<T | undefined | typeof DAMAGED> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    return check(value) ? value : DAMAGED;
  } catch {
    return DAMAGED; // no JSON: whoever asked says so, with the file's name
  }
}

function isDescription(value: unknown): value is SavedContainer {
  const saved = value as Partial<SavedContainer> | null;
  return (
    typeof saved === 'object' &&
    saved !== null &&
    typeof saved.id === 'string' &&
    typeof saved.name === 'string' &&
    typeof saved.spec === 'object' &&
    saved.spec !== null
  );
}

function isState(value: unknown): value is SavedState {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<SavedState>).status === 'string' &&
    Array.isArray((value as Partial<SavedState>).endpoints)
  );
}
