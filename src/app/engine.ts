import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineContainers } from '../engine/containers/engine-containers.ts';
import type { Builder } from '../engine/build/builder.ts';
import { DockerApi } from '../engine/docker-api/server.ts';
import { openImages } from '../engine/images/store.ts';
import type { ImageStore } from '../engine/images/store.ts';
import type { Networks } from '../engine/network/network.ts';
import { openNetworks } from '../engine/network/open.ts';
import { RuncRuntime } from '../engine/runtime/runc.ts';
import { openVolumes } from '../engine/volumes/open.ts';
import type { Volumes } from '../engine/volumes/volumes.ts';
import type { Host } from '../host/host.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { VERSION } from './version.ts';

export interface EngineOptions {
  /** Folder of the engine's own; made when missing. */
  readonly folder: string;
  /** The instance's id: part of every name that is given to something on the host. */
  readonly instance: string;
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** From where networks take their subnets, in CIDR form. Default: Docker's own ranges. */
  readonly networkPool?: string;
  /** Runtimes by the names that --runtime takes, beside runc. */
  readonly runtimes?: Readonly<Record<string, string>>;
  readonly insecureRegistries?: readonly string[];
}

/** The engine's rooms, wired. Nothing is recovered, and nothing listens yet. */
export interface Engine {
  readonly images: ImageStore;
  readonly containers: EngineContainers;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly runtime: RuncRuntime;
  /** The Docker API over these, with a builder or without. */
  dockerApi(builder?: Builder): DockerApi;
  /** Ends this process's part. `stopContainers`: stops them first; else they go on. */
  close(options: { readonly stopContainers: boolean }): Promise<void>;
}

/** Parent of all control groups of an instance, relative to the cgroup root. */
export function cgroupParentOf(instance: string): string {
  return `longshore-${instance}`;
}

/** Opens the engine in a folder. Call `containers.recover()` before anything is started. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { folder, instance, host, clock, random, logger } = options;
  const folders = {
    containers: join(folder, 'containers'),
    runtime: join(folder, 'runtime'),
    networks: join(folder, 'networks'),
    volumes: join(folder, 'volumes'),
    images: join(folder, 'images'),
  };
  await Promise.all([folders.containers, folders.runtime].map((each) => mkdir(each, { recursive: true, mode: 0o711 })));
  const [images, networks, volumes] = await Promise.all([
    openImages({
      folder: folders.images,
      host,
      clock,
      random,
      logger: logger.child({ room: 'images' }),
      proxyEnv: process.env,
      ...(options.insecureRegistries === undefined ? {} : { insecureRegistries: options.insecureRegistries }),
    }),
    openNetworks({
      host,
      folder: folders.networks,
      instance,
      clock,
      random,
      logger: logger.child({ room: 'network' }),
      ...(options.networkPool === undefined ? {} : { pools: [{ base: options.networkPool, size: 24 }] }),
    }),
    openVolumes({ folder: folders.volumes, host, clock, random, logger: logger.child({ room: 'volumes' }) }),
  ]);
  const runtime = new RuncRuntime({
    host,
    clock,
    logger: logger.child({ room: 'runtime' }),
    folder: folders.runtime,
    ...(options.runtimes === undefined ? {} : { runtimes: options.runtimes }),
  });
  const containers = new EngineContainers({
    folder: folders.containers,
    cgroupParent: cgroupParentOf(instance),
    images,
    runtime,
    networks,
    volumes,
    host,
    clock,
    random,
    logger: logger.child({ room: 'containers' }),
  });
  return {
    images, containers, networks, volumes, runtime,
    dockerApi: (builder) => new DockerApi({
      containers, images, networks, volumes, runtime, clock, random, logger: logger.child({ room: 'docker-api' }),
      ...(builder === undefined ? {} : { builder }),
      version: VERSION, engineId: instance, rootFolder: folder, cgroupVersion: host.cgroups.version, abilities: () => host.cgroups.abilities(),
    }),
    async close({ stopContainers }) {
      await containers.close({ stopContainers });
      await networks.close();
      await images.close();
    },
  };
}
