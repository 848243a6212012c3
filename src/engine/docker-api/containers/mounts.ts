import { access } from 'node:fs/promises';
import { posix } from 'node:path';
import { LongshoreError, isErrno } from '../../../lib/errors.ts';
import type { BindRecursion, MountSpec } from '../../containers/containers.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { Config, HostConfig, Mount } from './config.ts';
import { parseTmpfs, tmpfsOptions } from './tmpfs.ts';

/** Options of `-v` that are about sharing mounts; the others are ro, rw, nocopy, or mean nothing on Linux. */
const PROPAGATIONS = new Set(['shared', 'rshared', 'slave', 'rslave', 'private', 'rprivate']);
const IGNORED = new Set(['rw', 'z', 'Z', 'consistent', 'cached', 'delegated', '']);

export interface TranslatedMounts {
  readonly mounts: readonly MountSpec[];
  /** Folders that `-v` makes where there is nothing. */
  readonly make: readonly string[];
}

/** The mounts that Binds, Mounts, Tmpfs and the image's volumes ask for; unnamed volumes are made here. @throws `invalid` */
export async function translateMounts(config: Config, host: HostConfig, volumes: Volumes, from: readonly MountSpec[]): Promise<TranslatedMounts> {
  const byTarget = new Map<string, MountSpec>();
  const make: string[] = [];
  const put = (mount: MountSpec, unique = true): void => {
    if (unique && byTarget.has(mount.target)) throw new LongshoreError('invalid', `Duplicate mount point: ${mount.target}`, { object: mount.target });
    byTarget.set(mount.target, mount);
  };
  for (const mount of from) put(mount, false);
  const own = new Set<string>();
  const once = (target: string): string => {
    const clean = targetOf(target);
    if (own.has(clean)) throw new LongshoreError('invalid', `Duplicate mount point: ${clean}`, { object: clean });
    own.add(clean);
    return clean;
  };
  for (const bind of host.Binds ?? []) {
    const mount = parseBind(bind);
    if (mount.type === 'volume') await volumes.create({ name: mount.volume });
    else if (mount.type === 'bind') make.push(mount.source);
    put({ ...mount, target: once(mount.target) }, false);
  }
  for (const mount of host.Mounts ?? []) put(await translateMount(mount, once(mount.Target ?? ''), volumes, make), false);
  for (const [target, options] of Object.entries(host.Tmpfs ?? {})) put({ ...parseTmpfs(options), target: once(target) }, false);
  for (const target of Object.keys(config.Volumes ?? {})) {
    const clean = targetOf(target);
    if (byTarget.has(clean)) continue;
    const volume = await volumes.create({});
    put({ type: 'volume', volume: volume.name, target: clean, readOnly: false });
  }
  return { mounts: [...byTarget.values()], make };
}

async function mustExist(source: string): Promise<void> {
  try {
    await access(source);
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR')) throw error;
    throw new LongshoreError('invalid', `invalid mount config for type "bind": bind source path does not exist: ${source}`, { object: source, cause: error });
  }
}

async function translateMount(mount: Mount, target: string, volumes: Volumes, make: string[]): Promise<MountSpec> {
  const readOnly = mount.ReadOnly ?? false;
  switch (mount.Type) {
    case 'bind': {
      const source = mount.Source ?? '';
      if (!source.startsWith('/')) throw new LongshoreError('invalid', `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`);
      if (mount.BindOptions?.CreateMountpoint === true) make.push(source);
      else await mustExist(source);
      const propagation = mount.BindOptions?.Propagation;
      if (propagation && !PROPAGATIONS.has(propagation)) throw new LongshoreError('invalid', `invalid mount config for type "bind": invalid propagation mode: ${propagation}`, { object: target });
      const recursion = recursionOf(mount);
      return { type: 'bind', source, target, readOnly, ...(propagation ? { propagation } : {}), ...(recursion === undefined ? {} : { recursion }) };
    }
    case 'volume': {
      const subpath = subpathOf(mount);
      const driver = mount.VolumeOptions?.DriverConfig;
      const volume = await volumes.create({
        ...(mount.Source ? { name: mount.Source } : {}),
        ...(driver?.Name ? { driver: driver.Name } : {}),
        ...(driver?.Options ? { driverOpts: driver.Options } : {}),
        ...(mount.VolumeOptions?.Labels ? { labels: mount.VolumeOptions.Labels } : {}),
      });
      return { type: 'volume', volume: volume.name, target, readOnly, noCopy: mount.VolumeOptions?.NoCopy ?? false, ...(subpath === undefined ? {} : { subpath }) };
    }
    case 'tmpfs':
      return translateTmpfs(mount, target, readOnly);
    default:
      if (['image', 'npipe', 'cluster'].includes(mount.Type ?? '')) throw new LongshoreError('not-implemented', `mounts of type "${mount.Type}" are not built`, { object: target, remedy: 'Use bind, volume or tmpfs.' });
      throw new LongshoreError('invalid', `invalid mount config for type "${mount.Type ?? ''}": mount type unknown`, { object: target });
  }
}

function translateTmpfs({ Source: source, TmpfsOptions: given }: Mount, target: string, readOnly: boolean): MountSpec {
  if (source) throw new LongshoreError('invalid', 'invalid mount config for type "tmpfs": field Source must not be specified', { object: target });
  const options = tmpfsOptions(given?.Options);
  return { type: 'tmpfs', target, readOnly, ...(given?.SizeBytes ? { sizeBytes: given.SizeBytes } : {}), ...(given?.Mode ? { mode: given.Mode } : {}), ...(options.length === 0 ? {} : { options }) };
}

/** What of a bind mount happens to those beneath its source. @throws `invalid` */
function recursionOf({ BindOptions: options, ReadOnly: readOnly }: Mount): BindRecursion | undefined {
  if (options?.ReadOnlyNonRecursive === true && options.ReadOnlyForceRecursive === true) throw new LongshoreError('invalid', 'mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive');
  if (options?.NonRecursive === true) return 'none';
  if (readOnly !== true) return undefined;
  if (options?.ReadOnlyForceRecursive === true) return 'readonly';
  return options?.ReadOnlyNonRecursive === true ? 'writable' : undefined;
}

/** The part of a volume that is wanted; the kernel looks, at the start, that it leads nowhere else. @throws `invalid` */
function subpathOf({ Source: source, VolumeOptions: options }: Mount): string | undefined {
  const subpath = options?.Subpath;
  if (!subpath) return undefined;
  if (!source) throw new LongshoreError('invalid', 'invalid mount config for type "volume": must not set Subpath when using anonymous volumes', { object: subpath });
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) throw new LongshoreError('invalid', 'invalid mount config for type "volume": subpath must be a relative path within the volume', { object: subpath });
  return subpath;
}

/** `source:target[:options]`, or a target alone for an unnamed volume. @throws `invalid` */
function parseBind(bind: string): MountSpec {
  const parts = bind.split(':');
  if (parts.length < 2 || parts.length > 3 || parts[0] === '' || parts[1] === '') throw new LongshoreError('invalid', `invalid volume specification: '${bind}'`, { remedy: 'Write source:target or source:target:options.' });
  const [source, target, options = ''] = parts as [string, string, string?];
  if (!target.startsWith('/')) throw new LongshoreError('invalid', `invalid volume specification: '${bind}': invalid mount config for type "bind": invalid mount path: '${target}' mount path must be absolute`);
  let readOnly = false;
  let noCopy = false;
  let propagation: string | undefined;
  for (const option of options.split(',')) {
    if (option === 'ro') readOnly = true;
    else if (option === 'nocopy') noCopy = true;
    else if (PROPAGATIONS.has(option)) propagation = option;
    else if (!IGNORED.has(option)) throw new LongshoreError('invalid', `invalid mode: ${options}`, { object: bind });
  }
  if (source.startsWith('/')) return { type: 'bind', source: posix.normalize(source), target, readOnly, ...(propagation === undefined ? {} : { propagation }) };
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(source)) {
    throw new LongshoreError('invalid', `create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`, { object: bind });
  }
  return { type: 'volume', volume: source, target, readOnly, noCopy };
}

function targetOf(target: string): string {
  if (!target.startsWith('/')) throw new LongshoreError('invalid', `invalid mount path: '${target}' mount path must be absolute`);
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1');
  if (clean === '/') throw new LongshoreError('invalid', "invalid specification: destination can't be '/'");
  return clean;
}
