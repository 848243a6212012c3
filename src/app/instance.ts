import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno, LongshoreError, messageOf } from '../lib/errors.ts';

/** What an instance decided when it was first started, and keeps. */
export interface InstanceConfig {
  /** 8 hexadecimal digits: part of every name that the instance gives to something on the host. */
  readonly id: string;
  readonly nodeName: string;
  /** Port of the Kubernetes API on loopback. */
  readonly apiPort: number;
  readonly nodePort: number;
  /** Port of the registry, on loopback and at the inner address. */
  readonly registryPort: number;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly dnsAddress: string;
  /**
   * Where pods reach the API when it listens on loopback alone: an address on a link of the instance's own, which
   * nothing outside of this machine has a route to.
   */
  readonly innerAddress: string;
  /** Where the API listens, when more than loopback was asked for. */
  readonly listen?: string;
  /** Address of this node for the cluster: of the machine's first interface, or of a dummy link of ours where it has none. */
  readonly nodeAddress: string;
}

/** Where the decisions are kept; a Home has it. */
export interface InstancePlace {
  readonly root: string;
  readonly configFile: string;
}

/** All names that the instance gives on the host follow from this file, so there is a copy of it. */
const COPY = '~';

/** As an earlier version may have written it. */
export type KeptInstance = Omit<InstanceConfig, 'registryPort'> & Partial<Pick<InstanceConfig, 'registryPort'>>;

const TEXTS = ['nodeName', 'clusterCidr', 'serviceCidr', 'dnsAddress', 'innerAddress', 'nodeAddress'] as const;
const PORTS = ['apiPort', 'nodePort'] as const;

/**
 * What an instance has decided; undefined where none was started in this home yet. A damaged file is made good from its copy.
 * @throws LongshoreError `internal` when both are damaged, `forbidden` when they can't be read
 */
export async function readInstance(home: InstancePlace): Promise<KeptInstance | undefined> {
  const found = await readOne(home.configFile);
  if (found === undefined || !(found instanceof Error)) return found;
  const copy = await readOne(home.configFile + COPY);
  if (copy === undefined || copy instanceof Error) {
    throw new LongshoreError('internal', `${home.configFile} is damaged: ${found.message}`, {
      object: `home ${home.root}`,
      remedy: 'Restore the file from a backup, or move it away to start a new instance.',
      cause: found,
    });
  }
  await writeDurably(home.configFile, copy);
  return copy;
}

/** Writes the decisions and their copy; they outlive a loss of power from then on. */
export async function saveInstance(home: Pick<InstancePlace, 'configFile'>, config: InstanceConfig): Promise<InstanceConfig> {
  await writeDurably(home.configFile, config);
  await writeDurably(home.configFile + COPY, config);
  return config;
}

/** An Error for what is no description of an instance. */
async function readOne(path: string): Promise<KeptInstance | Error | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    if (isErrno(error, 'EACCES') || isErrno(error, 'EPERM')) {
      throw new LongshoreError('forbidden', `can't read ${path}: ${messageOf(error)}`, {
        object: path,
        remedy: 'Run as root, or set LONGSHORE_HOME to a folder of your own.',
        cause: error,
      });
    }
    return error as Error;
  }
  try {
    const config = JSON.parse(text) as Partial<InstanceConfig> | null;
    if (typeof config !== 'object' || config === null) return new Error('it holds no object');
    if (!/^[0-9a-f]{8}$/.test(config.id ?? '')) return new Error('its field id is not 8 hexadecimal digits');
    for (const name of TEXTS) if (typeof config[name] !== 'string') return new Error(`its field ${name} is no text`);
    for (const name of PORTS) if (!Number.isInteger(config[name])) return new Error(`its field ${name} is no number`);
    return config as KeptInstance;
  } catch (error) {
    return error as Error;
  }
}

async function writeDurably(path: string, config: KeptInstance): Promise<void> {
  const file = await open(path + '.new', 'w', 0o644);
  try {
    await file.writeFile(JSON.stringify(config, undefined, 2) + '\n');
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(path + '.new', path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
