import { configMaps } from '../client/resources.ts';
import type { Transport } from '../client/transport.ts';
import type { ImageStore } from '../engine/images/store.ts';
import { openRegistry } from '../engine/registry/registry.ts';
import type { Clock } from '../lib/clock.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import type { ConfigMap } from '../types/kubernetes/generated/core-v1.ts';
import type { InstanceConfig } from './instance.ts';

/**
 * Who may use the instance's registry beside this machine's own programs: `off`, nobody has one; `host`, nobody;
 * `read`, pods may pull; `write`, pods may push.
 */
export const REGISTRY_ACCESS = ['off', 'host', 'read', 'write'] as const;
export type RegistryAccess = (typeof REGISTRY_ACCESS)[number];

export interface PlatformRegistryOptions {
  readonly images: ImageStore;
  readonly config: Pick<InstanceConfig, 'registryPort' | 'innerAddress'>;
  readonly access: RegistryAccess;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface PlatformRegistry {
  /** As `localhost:5050`: clients on this machine, and the names of images in pods. Undefined where it does not listen. */
  readonly name: string | undefined;
  /** The same registry by the instance's inner address, to which both this machine and pods have a route. */
  readonly innerName: string | undefined;
  close(): Promise<void>;
}

/** The name of the registry at the inner address. */
export function innerRegistryName({ innerAddress, registryPort }: PlatformRegistryOptions['config']): string {
  return `${innerAddress}:${registryPort}`;
}

/**
 * The registry over the instance's content store: on loopback, and for pods at the inner address, which nothing outside of this machine has a route to.
 * The platform runs without it where another program has taken its port meanwhile; the log and `status` say so.
 */
export async function openPlatformRegistry({ images, config, access, clock, random, logger }: PlatformRegistryOptions): Promise<PlatformRegistry> {
  if (access === 'off') return { name: undefined, innerName: undefined, close: () => Promise.resolve() };
  const registry = openRegistry({ images, clock, random, logger });
  const port = config.registryPort;
  const listen = async (host: string, readOnly: boolean): Promise<boolean> => {
    try {
      await registry.listen({ host, port, readOnly });
      return true;
    } catch (error) {
      if (!(error instanceof LongshoreError)) throw error;
      logger.warn('the registry does not answer', {
        address: `${host}:${port}`,
        error: error.message,
        remedy: 'Stop what listens there (ss -ltnp), then start the platform again.',
      });
      return false;
    }
  };
  try {
    const [here, inside] = await Promise.all([listen('127.0.0.1', false), access === 'host' ? false : listen(config.innerAddress, access === 'read')]);
    return { name: here ? `localhost:${port}` : undefined, innerName: inside ? innerRegistryName(config) : undefined, close: () => registry.close() };
  } catch (error) {
    await registry.close();
    throw error;
  }
}

const ANNOUNCEMENT = 'local-registry-hosting';

/** Tells tools where the registry is: the ConfigMap of KEP-1755, which Tilt, Skaffold and others read. */
export async function announceRegistry(transport: Transport, { name, innerName }: PlatformRegistry): Promise<void> {
  if (name === undefined) return;
  const lines = [
    `host: "${name}"`,
    `hostFromContainerRuntime: "${name}"`,
    ...(innerName === undefined ? [] : [`hostFromClusterNetwork: "${innerName}"`]),
  ];
  const object: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: ANNOUNCEMENT, namespace: 'kube-public' },
    data: { 'localRegistryHosting.v1': lines.map((line) => `${line}\n`).join('') },
  };
  await transport.patch(configMaps, 'kube-public', ANNOUNCEMENT, 'apply', object, { fieldManager: 'longshore', force: true });
}
