import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hexId } from '../../../lib/random.ts';
import { UndoStack } from '../../../lib/undo.ts';
import type { StepResult } from './cache.ts';
import type { BuildParts } from './request.ts';

export interface Scratch {
  /** Name of the active snapshot. */
  readonly key: string;
  /** Where it is mounted. */
  readonly root: string;
  readonly undo: UndoStack;
}

/**
 * Makes a writable layer over a chain, mounts it, lets `work` change it, and makes a layer of what
 * has changed: nothing, when nothing has. Whatever happens, nothing stays mounted.
 * @param stubs places of mounts that the work may have left
 */
export async function inScratch(
  parts: BuildParts,
  chainId: string | undefined,
  signal: AbortSignal,
  work: (scratch: Scratch) => Promise<{ readonly stubs: readonly string[] } | void>,
): Promise<StepResult> {
  const { clock, images, random } = parts;
  const key = `build-${hexId(random, 8)}`;
  const root = join(parts.folder, 'mnt', key);
  const undo = new UndoStack();
  let stubs: readonly string[] = [];
  await mkdir(root, { recursive: true, mode: 0o711 });
  try {
    await images.snapshots.prepare(key, chainId);
    try {
      undo.push(await images.snapshots.mount(key, root, { volatile: true }));
      stubs = (await work({ key, root, undo }))?.stubs ?? [];
    } finally {
      await undo.run();
    }
    signal.throwIfAborted();
    const layers = await images.snapshots.layers(key);
    if (await images.trees.removeStubs(layers, stubs)) {
      await images.snapshots.remove(key);
      return { chainId, createdMs: clock.now() };
    }
    const { chainId: made, descriptor, diffId } = await images.snapshots.commit(key, { signal });
    return { chainId: made, layer: { descriptor, diffId }, createdMs: clock.now() };
  } catch (error) {
    await images.snapshots.remove(key);
    throw error;
  } finally {
    await rmdir(root).catch(() => {
      // Still mounted after a failure: the next start takes it down.
    });
  }
}

/** Mounts a chain read-only for as long as `work` takes; an empty folder for none. */
export async function withChain<T>(parts: BuildParts, chainId: string | undefined, work: (root: string) => Promise<T>): Promise<T> {
  const root = join(parts.folder, 'mnt', `chain-${hexId(parts.random, 8)}`);
  await mkdir(root, { recursive: true, mode: 0o711 });
  try {
    const unmount = chainId === undefined ? undefined : await parts.images.snapshots.mountChain(chainId, root);
    try {
      return await work(root);
    } finally {
      await unmount?.();
    }
  } finally {
    await rmdir(root);
  }
}
