import { readFile } from 'node:fs/promises';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import type { LogLevel } from '../lib/log.ts';
import { nearest } from '../lib/nearest.ts';
import type { Home } from './home.ts';
import { REGISTRY_ACCESS, type RegistryAccess } from './registry.ts';

/** What a server can be told. A flag goes before the environment, the environment before `config.yaml` in the instance's folder. */
export interface Settings {
  /** Where the Kubernetes API listens; loopback where it is left out. */
  readonly listen?: string;
  readonly logLevel: LogLevel;
  readonly nodeGraceSeconds?: number;
  readonly registry: RegistryAccess;
  /** Whether /var/run/docker.sock leads to this instance. */
  readonly dockerSocket: boolean;
  /** Parts of the control plane that others run in their place. */
  readonly without: readonly ControlPlanePart[];
}

/** Parts that can be left out of a control plane, for upstream's program to do their work. */
const CONTROL_PLANE_PARTS = ['controllers', 'scheduler'] as const;
export type ControlPlanePart = (typeof CONTROL_PLANE_PARTS)[number];

export interface Setting {
  /** Its key in the file. */
  readonly key: keyof Settings;
  readonly flag: string;
  readonly environment: string;
  /** What stands for its value in help; left out for what is on or off. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly describe: string;
}

/** Nodes renew their leases each 10 s: with less than this they would come and go. */
const LEAST_GRACE_SECONDS = 12;
const MOST_GRACE_SECONDS = 3600;
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export const SETTINGS: readonly Setting[] = [
  {
    key: 'listen',
    flag: 'listen',
    environment: 'LONGSHORE_LISTEN',
    value: 'ADDRESS',
    describe: 'let the Kubernetes API listen at an address, 0.0.0.0 for all (default: loopback alone)',
  },
  {
    key: 'registry',
    flag: 'registry',
    environment: 'LONGSHORE_REGISTRY_ACCESS',
    value: 'WHO',
    choices: REGISTRY_ACCESS,
    describe:
      "who beside this machine's programs may use the registry: off (there is none), host (nobody), read (pods may pull; the default), write (pods may push)",
  },
  {
    key: 'dockerSocket',
    flag: 'docker-socket',
    environment: 'LONGSHORE_DOCKER_SOCKET',
    describe: 'make /var/run/docker.sock lead to this instance',
  },
  {
    key: 'nodeGraceSeconds',
    flag: 'node-grace',
    environment: 'LONGSHORE_NODE_GRACE_SECONDS',
    value: 'SECONDS',
    describe: `how long a node may be silent before it is not ready, ${LEAST_GRACE_SECONDS} to ${MOST_GRACE_SECONDS} (default 40)`,
  },
  {
    key: 'without',
    flag: 'without',
    environment: 'LONGSHORE_WITHOUT',
    value: 'PARTS',
    describe: `parts of the control plane to leave out, joined by commas, which something else does: ${CONTROL_PLANE_PARTS.join(', ')}`,
  },
  {
    key: 'logLevel',
    flag: 'log-level',
    environment: 'LONGSHORE_LOG',
    value: 'LEVEL',
    choices: LEVELS,
    describe: 'debug, info, warn or error (default info)',
  },
];

/** The file of settings in an instance's folder. */
export function settingsFile(home: Pick<Home, 'root'>): string {
  return `${home.root}/config.yaml`;
}

/**
 * Flags as the environment by which a daemon in the background gets them.
 * @param flags by the settings' own flags, without dashes; what was not given is left out
 */
export function settingsEnvironment(flags: Readonly<Record<string, string | boolean | undefined>>): Record<string, string> {
  return Object.fromEntries(SETTINGS.flatMap(({ flag, environment }) => (flags[flag] === undefined ? [] : [[environment, String(flags[flag])]])));
}

/** @throws LongshoreError `invalid`, naming where the value came from */
export async function readSettings(home: Pick<Home, 'root'>, environment: Readonly<Record<string, string | undefined>>): Promise<Settings> {
  const file = settingsFile(home);
  const kept = await readFileOfSettings(file);
  const found = new Map<keyof Settings, { readonly text: string; readonly from: string }>();
  for (const { key, environment: variable } of SETTINGS) {
    const set = environment[variable];
    if (set !== undefined && set !== '') found.set(key, { text: set, from: `${variable}=${set}` });
    else if (kept.has(key)) found.set(key, { text: kept.get(key)!, from: `${key}: ${kept.get(key)} in ${file}` });
  }
  for (const [key, { text, from }] of found) {
    const { choices } = SETTINGS.find((setting) => setting.key === key)!;
    if (choices && !choices.includes(text)) throw new LongshoreError('invalid', `${from} is none of ${choices.join(', ')}`);
  }
  const listen = found.get('listen');
  const grace = found.get('nodeGraceSeconds');
  const socket = found.get('dockerSocket');
  const without = found.get('without');
  return {
    ...(listen && { listen: listen.text }),
    ...(grace && { nodeGraceSeconds: secondsOf(grace) }),
    logLevel: (found.get('logLevel')?.text ?? 'info') as LogLevel,
    registry: (found.get('registry')?.text ?? 'read') as RegistryAccess,
    dockerSocket: socket !== undefined && truthOf(socket),
    without: without === undefined ? [] : partsOf(without),
  };
}

async function readFileOfSettings(file: string): Promise<ReadonlyMap<string, string>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return new Map();
    throw new LongshoreError('forbidden', `can't read ${file}: ${(error as Error).message}`, { object: file, cause: error });
  }
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) throw new LongshoreError('invalid', `${file}: ${problem.message}`, { object: file });
  const values = (document.toJS({ maxAliasCount: 0 }) ?? {}) as Readonly<Record<string, unknown>>;
  const keys = SETTINGS.map(({ key }) => key as string);
  for (const [key, value] of Object.entries(values)) {
    const meant = nearest(key, keys);
    if (!keys.includes(key)) {
      throw new LongshoreError('invalid', `${file} has a setting "${key}", which there is not`, {
        object: file,
        remedy: meant === undefined ? `There are: ${keys.join(', ')}.` : `Did you mean ${meant}?`,
      });
    }
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new LongshoreError('invalid', `${file}: ${key} is to be one word`, { object: file });
    }
  }
  return new Map(Object.entries(values).map(([key, value]) => [key, String(value)]));
}

function secondsOf({ text, from }: { readonly text: string; readonly from: string }): number {
  const seconds = Number(text);
  if (!(seconds >= LEAST_GRACE_SECONDS && seconds <= MOST_GRACE_SECONDS)) {
    throw new LongshoreError('invalid', `${from} is not a number of seconds from ${LEAST_GRACE_SECONDS} to ${MOST_GRACE_SECONDS}`, {
      remedy: 'Leave it out for the default, 40.',
    });
  }
  return seconds;
}

function truthOf({ text, from }: { readonly text: string; readonly from: string }): boolean {
  if (['true', '1', 'yes'].includes(text)) return true;
  if (['false', '0', 'no'].includes(text)) return false;
  throw new LongshoreError('invalid', `${from} is neither true nor false`);
}

function partsOf({ text, from }: { readonly text: string; readonly from: string }): ControlPlanePart[] {
  return text.split(',').map((word) => {
    const part = CONTROL_PLANE_PARTS.find((name) => name === word.trim());
    if (part === undefined) {
      throw new LongshoreError('invalid', `${from} names a part "${word.trim()}", which there is not`, {
        remedy: `There are: ${CONTROL_PLANE_PARTS.join(', ')}. Join several by commas.`,
      });
    }
    return part;
  });
}
