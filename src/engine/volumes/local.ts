import { closeSync, constants } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { O_PATH, openInRoot } from '../../host/beneath.ts';
import type { Mounts } from '../../host/host.ts';
import type { Clock } from '../../lib/clock.ts';
import { isErrno, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { hexId } from '../../lib/random.ts';
import type { Random } from '../../lib/random.ts';
import { deviceOptions } from './device.ts';
import type { DeviceOptions } from './device.ts';
import { checkName } from './name.ts';
import { copyTree, dressFolder, treeBytes } from './tree.ts';
import type { Volume, Volumes } from './volumes.ts';

const RECORD = 'volume.json';
const DATA = '_data';
/** Beside the record while a volume has never been filled. */
const FRESH = 'fresh';
/** Start of the names of folders that are on their way out; no volume's name starts with a dot. */
const REMOVED = '.removed-';

/** `volumes/<name>/volume.json` describes, `volumes/<name>/_data` holds. */
export class LocalVolumes implements Volumes {
  #folder: string;
  #mounts: Mounts;
  #clock: Clock;
  #random: Random;
  #logger: Logger;
  #volumes = new Map<string, Volume>();
  /** One change of a volume at a time. */
  #turns = new Map<string, Promise<unknown>>();

  constructor(options: { readonly folder: string; readonly mounts: Mounts; readonly clock: Clock; readonly random: Random; readonly logger: Logger }) {
    this.#folder = options.folder;
    this.#mounts = options.mounts;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#logger = options.logger;
  }

  /** Reads what is there. */
  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o711 });
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      if (name.startsWith(REMOVED)) {
        await rm(path, { recursive: true, force: true });
        continue;
      }
      try {
        const volume = JSON.parse(await readFile(join(path, RECORD), 'utf8')) as Volume;
        this.#volumes.set(name, { ...volume, name, mountpoint: join(path, DATA) });
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) {
          throw new LongshoreError('internal', `the record of volume ${name} is damaged: ${messageOf(error)}`, {
            object: `volume ${name}`,
            remedy: `Move ${path} away; its data lies in ${DATA}.`,
            cause: error,
          });
        }
        await this.#adopt(name, path);
      }
    }
  }

  async list(): Promise<readonly Volume[]> {
    return [...this.#volumes.values()];
  }

  async get(name: string): Promise<Volume> {
    const volume = this.#volumes.get(name);
    if (!volume) throw new LongshoreError('not-found', `get ${name}: no such volume`, { object: `volume ${name}` });
    return volume;
  }

  async create(options: {
    readonly name?: string;
    readonly driver?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly driverOpts?: Readonly<Record<string, string>>;
  }): Promise<Volume> {
    const anonymous = options.name === undefined || options.name === '';
    const name = options.name === undefined || options.name === '' ? hexId(this.#random) : options.name;
    checkName(name);
    const driver = options.driver === undefined || options.driver === '' ? 'local' : options.driver;
    if (driver !== 'local') {
      throw new LongshoreError(
        'not-found',
        `create ${name}: error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`,
        { object: `volume ${name}`, remedy: 'Use the driver local.' },
      );
    }
    deviceOptions(name, options.driverOpts ?? {});
    return await this.#turn(name, async () => {
      const there = this.#volumes.get(name);
      if (there) return there;
      const path = join(this.#folder, name);
      const labels = anonymous ? { 'com.docker.volume.anonymous': '', ...options.labels } : (options.labels ?? {});
      const volume: Volume = {
        name,
        driver: 'local',
        mountpoint: join(path, DATA),
        createdMs: this.#clock.now(),
        labels,
        options: options.driverOpts ?? {},
        anonymous,
      };
      await rm(path, { recursive: true, force: true }); // what a crash left without a record
      await mkdir(path, { mode: 0o701 });
      await mkdir(volume.mountpoint, { mode: 0o755 });
      await writeFile(join(path, FRESH), '');
      await writeDurably(path, RECORD, JSON.stringify(volume));
      this.#volumes.set(name, volume);
      return volume;
    });
  }

  async remove(name: string, options: { readonly force?: boolean; readonly users: readonly string[] }): Promise<void> {
    await this.#turn(name, async () => {
      const volume = this.#volumes.get(name);
      if (!volume) {
        if (options.force) return;
        throw new LongshoreError('not-found', `get ${name}: no such volume`, { object: `volume ${name}` });
      }
      if (options.users.length > 0) {
        throw new LongshoreError('conflict', `remove ${name}: volume is in use - [${options.users.join(', ')}]`, {
          object: `volume ${name}`,
          remedy: 'Remove the containers first.',
        });
      }
      // A bind or device below would otherwise be emptied with it.
      await this.#unmountAll(volume);
      this.#volumes.delete(name);
      // Renamed first: whatever happens on the way, it is either there or gone.
      const doomed = join(this.#folder, `${REMOVED}${hexId(this.#random, 8)}`);
      await rename(join(this.#folder, name), doomed);
      await rm(doomed, { recursive: true, force: true });
    });
  }

  async populate(name: string, from: string | { readonly root: string; readonly path: string }): Promise<void> {
    await this.#turn(name, async () => {
      const volume = await this.get(name);
      const fresh = join(this.#folder, name, FRESH);
      if (!(await exists(fresh))) return;
      const target = await openInRoot(volume.mountpoint, '.', O_PATH | constants.O_DIRECTORY);
      try {
        if ((await readdir(`/proc/self/fd/${target}`)).length === 0) {
          let source;
          try {
            source =
              typeof from === 'string'
                ? await openInRoot(from, '.', O_PATH | constants.O_DIRECTORY)
                : await openInRoot(from.root, from.path, O_PATH | constants.O_DIRECTORY);
          } catch (error) {
            if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
          }
          if (source !== undefined) {
            try {
              await copyTree(source, target);
              dressFolder(target, source);
            } finally {
              closeSync(source);
            }
          }
        }
      } finally {
        closeSync(target);
      }
      await rm(fresh, { force: true });
    });
  }

  async usage(name: string): Promise<number> {
    const volume = await this.get(name);
    const folder = await openInRoot(volume.mountpoint, '.', O_PATH | constants.O_DIRECTORY);
    try {
      return await treeBytes(folder);
    } finally {
      closeSync(folder);
    }
  }

  async ready(name: string): Promise<string> {
    return await this.#turn(name, async () => {
      const volume = await this.get(name);
      const device = deviceOptions(name, volume.options);
      if (device && (await this.#mounts.beneath(volume.mountpoint)).length === 0) await this.#mount(volume, device);
      return volume.mountpoint;
    });
  }

  async release(name: string): Promise<void> {
    await this.#turn(name, async () => {
      const volume = this.#volumes.get(name);
      if (volume && Object.keys(volume.options).length > 0) await this.#unmountAll(volume);
    });
  }

  async destroy(): Promise<void> {
    for (const target of await this.#mounts.beneath(this.#folder)) await this.#mounts.unmount(target);
  }

  /** A folder without a record: of a creation that a crash cut short, unless there is data in it, which nobody throws away. */
  async #adopt(name: string, path: string): Promise<void> {
    const content = await readdir(join(path, DATA)).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
      throw error;
    });
    if (content.length === 0) {
      await rm(path, { recursive: true, force: true });
      return;
    }
    this.#logger.warn('took over a volume whose record is lost', { volume: name });
    const volume: Volume = { name, driver: 'local', mountpoint: join(path, DATA), createdMs: this.#clock.now(), labels: {}, options: {}, anonymous: false };
    await writeDurably(path, RECORD, JSON.stringify(volume));
    this.#volumes.set(name, volume);
  }

  async #mount(volume: Volume, device: DeviceOptions): Promise<void> {
    const object = `volume ${volume.name}`;
    try {
      if (device.type === 'bind') {
        await this.#mounts.bind(device.device, volume.mountpoint, {
          readOnly: device.options.includes('ro'),
          recursive: device.options.includes('rbind'),
        });
      } else {
        await this.#mounts.device(volume.mountpoint, device.device, device.type, await resolveAddress(device.options));
      }
    } catch (cause) {
      throw new LongshoreError(
        'unavailable',
        `failed to mount local volume ${volume.name}: mount ${device.device}:${volume.mountpoint}, flags: ${device.options.join(',')}: ${messageOf(cause)}`,
        { object, remedy: 'Check the volume’s options type, o and device.', cause },
      );
    }
  }

  async #unmountAll(volume: Volume): Promise<void> {
    for (const target of await this.#mounts.beneath(volume.mountpoint)) await this.#mounts.unmount(target);
  }

  async #turn<T>(name: string, task: () => Promise<T>): Promise<T> {
    const previous = this.#turns.get(name) ?? Promise.resolve();
    const mine = previous.then(task, task);
    this.#turns.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(name) === mine) this.#turns.delete(name);
    }
  }
}

/** mount.nfs looks `addr=` up before it calls the kernel, which takes addresses only. */
async function resolveAddress(options: readonly string[]): Promise<string[]> {
  return await Promise.all(
    options.map(async (word) => {
      const host = /^addr=(.+)$/.exec(word)?.[1];
      return host === undefined || isIP(host) ? word : `addr=${(await lookup(host)).address}`;
    }),
  );
}

async function writeDurably(folder: string, name: string, text: string): Promise<void> {
  const file = await open(join(folder, `${name}.tmp`), 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(join(folder, `${name}.tmp`), join(folder, name));
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
