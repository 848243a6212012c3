import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerPrograms } from '../../tools/peers/folder.ts';
import { startDockerPeer } from './docker-peer.ts';
import { startKubePeer } from './kube-peer.ts';
import { Instance } from './instance.ts';
import { importBusybox } from './busybox.ts';
import type { DockerSide, KubeSide } from './side.ts';
import { grantToken } from './token.ts';

/** A peer is not on this machine, or did not start. */
export class PeerMissing extends Error {}

/** Starts what rows ask for, once, and ends it all. */
export class Stage implements AsyncDisposable {
  readonly #undo: (() => Promise<void>)[] = [];
  readonly #made = new Map<string, Promise<unknown>>();

  /** A temporary folder that goes with the stage. */
  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-bench-'));
    this.#undo.push(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Makes something once; it ends with the stage. */
  async once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = this.#made.get(name) as Promise<T> | undefined;
    if (made !== undefined) return await made;
    const promise = make();
    this.#made.set(name, promise);
    return await promise;
  }

  onEnd(undo: () => Promise<void>): void {
    this.#undo.push(undo);
  }

  /** Our instance for all rows that do not need a fresh one. */
  async instance(): Promise<Instance> {
    return await this.once('instance', async () => {
      const instance = new Instance(await this.folder());
      this.#undo.push(() => instance.uninstall());
      await instance.up();
      return instance;
    });
  }

  async ourDocker(): Promise<DockerSide> {
    return await this.once('our docker', async () => {
      const instance = await this.instance();
      const side: DockerSide = { name: 'ours', env: { DOCKER_HOST: instance.dockerHost }, enter: [], prepared: new Map(), pids: () => instance.pids() };
      await importBusybox(side);
      return side;
    });
  }

  async peerDocker(): Promise<DockerSide> {
    return await this.once('peer docker', async () => {
      const peer = await startDockerPeer(peerPrograms()).catch(missing);
      this.#undo.push(async () => await peer[Symbol.asyncDispose]());
      await importBusybox(peer);
      return peer;
    });
  }

  async ourKube(): Promise<KubeSide> {
    return await this.once('our kube', async () => {
      const instance = await this.instance();
      return {
        name: 'ours',
        url: await instance.apiUrl(),
        kubeconfig: instance.kubeconfig,
        token: await grantToken(instance.kubeconfig),
        prepared: new Map(),
        pids: () => instance.pids(),
      };
    });
  }

  async peerKube(): Promise<KubeSide> {
    return await this.once('peer kube', async () => {
      const peer = await startKubePeer(peerPrograms()).catch(missing);
      this.#undo.push(async () => await peer[Symbol.asyncDispose]());
      return { ...peer, name: 'peer', token: await grantToken(peer.kubeconfig), prepared: new Map() };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    // What can't be undone keeps nothing else from it.
    for (const undo of this.#undo.splice(0).reverse()) await undo().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, `the bench left things behind: ${failures.map(String).join('; ')}`);
  }
}

function missing(error: unknown): never {
  throw new PeerMissing(error instanceof Error ? error.message : String(error), { cause: error });
}
