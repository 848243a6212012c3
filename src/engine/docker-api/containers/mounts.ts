import { access } from 'node:fs/promises';
import { posix } from 'node:path';
import { LongshoreError, isCode, isErrno, messageOf } from '../../../lib/errors.ts';
import type { BindRecursion, MountSpec } from '../../containers/containers.ts';
import type { Images } from '../../images/images.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { Config, HostConfig, Mount } from './config.ts';
import { parseTmpfs, tmpfsOptions } from './tmpfs.ts';

/** Options of `-v` that are about sharing mounts. */
const PROPAGATIONS = new Set(['shared', 'rshared', 'slave', 'rslave', 'private', 'rprivate']);
/** Of each sort a bind has one at most; labels and consistency mean nothing here. */
const BIND_WORDS: readonly ReadonlySet<string>[] = [
  new Set(['ro', 'rw']),
  new Set(['z', 'Z']),
  PROPAGATIONS,
  new Set(['nocopy']),
  new Set(['consistent', 'cached', 'delegated']),
];

export interface TranslatedMounts {
  readonly mounts: readonly MountSpec[];
  /** Folders that `-v` makes where there is nothing. */
  readonly make: readonly string[];
}

/** The mounts that Binds, Mounts, Tmpfs and the image's volumes ask for; unnamed volumes are made here. @throws `invalid` */
export async function translateMounts(
  config: Config,
  host: HostConfig,
  { images, volumes }: { readonly images: Pick<Images, 'get'>; readonly volumes: Volumes },
  from: readonly MountSpec[],
): Promise<TranslatedMounts> {
  const byTarget = new Map<string, MountSpec>();
  const make: string[] = [];
  const put = (mount: MountSpec, unique = true): void => {
    if (unique && byTarget.has(mount.target)) {
      throw new LongshoreError('invalid', `Duplicate mount point: ${mount.target}`, { object: mount.target });
    }
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
  for (const mount of host.Mounts ?? []) put(await translateMount(mount, once(mount.Target ?? ''), { images, volumes }, make), false);
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

async function translateMount(
  mount: Mount,
  target: string,
  { images, volumes }: { readonly images: Pick<Images, 'get'>; readonly volumes: Volumes },
  make: string[],
): Promise<MountSpec> {
  const readOnly = mount.ReadOnly ?? false;
  switch (mount.Type) {
    case 'bind': {
      const source = mount.Source ?? '';
      if (source === '') {
        throw new LongshoreError('invalid', 'invalid mount config for type "bind": field Source must not be empty', { object: target });
      }
      if (!source.startsWith('/')) {
        throw new LongshoreError(
          'invalid',
          `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
        );
      }
      if (mount.BindOptions?.CreateMountpoint === true) make.push(source);
      else await mustExist(source);
      const propagation = mount.BindOptions?.Propagation;
      if (propagation && !PROPAGATIONS.has(propagation)) {
        throw new LongshoreError('invalid', `invalid mount config for type "bind": invalid propagation mode: ${propagation}`, {
          object: target,
        });
      }
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
      return {
        type: 'volume',
        volume: volume.name,
        target,
        readOnly,
        noCopy: mount.VolumeOptions?.NoCopy ?? false,
        ...(subpath === undefined ? {} : { subpath }),
      };
    }
    case 'tmpfs':
      return translateTmpfs(mount, target, readOnly);
    case 'image': {
      if (!mount.Source) {
        throw new LongshoreError('invalid', 'invalid mount config for type "image": field Source must not be empty', { object: target });
      }
      const subpath = relative(mount.ImageOptions?.Subpath, 'image');
      const { id } = await images.get(mount.Source).catch((error: unknown) => {
        // Not 404: upon that the command line pulls what the container is made of.
        if (isCode(error, 'not-found')) {
          throw new LongshoreError('invalid', `invalid mount config for type "image": ${messageOf(error)}`, {
            object: target,
            remedy: `Pull it first: docker pull ${mount.Source ?? ''}`,
            cause: error,
          });
        }
        throw error;
      });
      return { type: 'image', image: id, name: mount.Source, target, readOnly: true, ...(subpath === undefined ? {} : { subpath }) };
    }
    default:
      if (['npipe', 'cluster'].includes(mount.Type ?? '')) {
        throw new LongshoreError('not-implemented', `mounts of type "${mount.Type}" are not built`, {
          object: target,
          remedy: 'Use bind, volume, image or tmpfs.',
        });
      }
      throw new LongshoreError('invalid', `invalid mount config for type "${mount.Type ?? ''}": mount type unknown`, { object: target });
  }
}

function translateTmpfs({ Source: source, TmpfsOptions: given }: Mount, target: string, readOnly: boolean): MountSpec {
  if (source) {
    throw new LongshoreError('invalid', 'invalid mount config for type "tmpfs": field Source must not be specified', { object: target });
  }
  const options = tmpfsOptions(given?.Options);
  return {
    type: 'tmpfs',
    target,
    readOnly,
    ...(given?.SizeBytes ? { sizeBytes: given.SizeBytes } : {}),
    ...(given?.Mode ? { mode: given.Mode } : {}),
    ...(options.length === 0 ? {} : { options }),
  };
}

/** What of a bind mount happens to those beneath its source. @throws `invalid` */
function recursionOf({ BindOptions: options, ReadOnly: readOnly }: Mount): BindRecursion | undefined {
  if (options?.ReadOnlyNonRecursive === true && options.ReadOnlyForceRecursive === true) {
    throw new LongshoreError('invalid', 'mount options conflict: ReadOnlyNonRecursive and ReadOnlyForceRecursive');
  }
  if (options?.NonRecursive === true) return 'none';
  if (readOnly !== true) return undefined;
  if (options?.ReadOnlyForceRecursive === true) return 'readonly';
  return options?.ReadOnlyNonRecursive === true ? 'writable' : undefined;
}

/** The part of a volume that is wanted; the kernel looks, at the start, that it leads nowhere else. @throws `invalid` */
function subpathOf({ Source: source, VolumeOptions: options }: Mount): string | undefined {
  const subpath = options?.Subpath;
  if (subpath && !source) {
    throw new LongshoreError('invalid', 'invalid mount config for type "volume": must not set Subpath when using anonymous volumes', {
      object: subpath,
    });
  }
  return relative(subpath, 'volume');
}

function relative(subpath: string | undefined, type: 'volume' | 'image'): string | undefined {
  if (!subpath) return undefined;
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) {
    throw new LongshoreError('invalid', `invalid mount config for type "${type}": subpath must be a relative path within the volume`, {
      object: subpath,
    });
  }
  return subpath;
}

/** `source:target[:options]`, or a target alone for an unnamed volume. @throws `invalid` */
function parseBind(bind: string): MountSpec {
  const parts = bind.split(':');
  if (parts.length < 2 || parts.length > 3 || parts[0] === '' || parts[1] === '') {
    throw new LongshoreError('invalid', `invalid volume specification: '${bind}'`, {
      remedy: 'Write source:target or source:target:options.',
    });
  }
  const [source, target, options = ''] = parts as [string, string, string?];
  if (!target.startsWith('/')) {
    throw new LongshoreError(
      'invalid',
      `invalid volume specification: '${bind}': invalid mount config for type "bind": invalid mount path: '${target}' mount path must be absolute`,
    );
  }
  const invalid = (reason: string): LongshoreError => new LongshoreError('invalid', `invalid volume specification: '${bind}': ${reason}`);
  const { readOnly, noCopy, propagation } = bindMode(options, bind);
  if (posix.normalize(target) === '/') {
    throw invalid(
      `invalid mount config for type "${source.startsWith('/') ? 'bind' : 'volume'}": invalid specification: destination can't be '/'`,
    );
  }
  if (source.startsWith('/')) {
    if (noCopy) throw invalid('invalid mount config for type "bind": field VolumeOptions must not be specified');
    return { type: 'bind', source: posix.normalize(source), target, readOnly, ...(propagation === undefined ? {} : { propagation }) };
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(source)) {
    throw new LongshoreError(
      'invalid',
      `create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      { object: bind },
    );
  }
  if (propagation !== undefined) throw invalid('invalid mount config for type "volume": field BindOptions must not be specified');
  return { type: 'volume', volume: source, target, readOnly, noCopy };
}

/** What follows the second colon: of each sort of word one. @throws `invalid` */
function bindMode(options: string, bind: string): { readonly readOnly: boolean; readonly noCopy: boolean; readonly propagation: string | undefined } {
  const words = options.split(',').filter((word, _, all) => word !== '' || all.length > 1);
  const found = BIND_WORDS.map((sort) => words.filter((word) => sort.has(word)));
  if (found.some((sort) => sort.length > 1) || found.flat().length !== words.length) {
    throw new LongshoreError('invalid', `invalid mode: ${options}`, { object: bind });
  }
  return { readOnly: words.includes('ro'), noCopy: words.includes('nocopy'), propagation: words.find((word) => PROPAGATIONS.has(word)) };
}

function targetOf(target: string): string {
  if (!target.startsWith('/')) throw new LongshoreError('invalid', `invalid mount path: '${target}' mount path must be absolute`);
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1');
  if (clean === '/') throw new LongshoreError('invalid', "invalid specification: destination can't be '/'");
  return clean;
}
