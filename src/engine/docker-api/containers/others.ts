import { LongshoreError, isCode } from '../../../lib/errors.ts';
import type { Container, MountSpec } from '../../containers/containers.ts';
import type { Deps } from '../deps.ts';

/** Another container that a body names. One that is not there makes the body wrong: it is not what the request is about. @throws `invalid` */
function other(deps: Pick<Deps, 'containers'>, name: string, prefix = ''): Container {
  try {
    return deps.containers.get(name);
  } catch (error) {
    if (!isCode(error, 'not-found')) throw error;
    throw new LongshoreError('invalid', `${prefix}${(error as LongshoreError).message}`, { object: `container ${name}`, cause: error });
  }
}

/** `container:alias`, or a container alone. @throws `invalid` */
export function linkOf(deps: Pick<Deps, 'containers'>, link: string): { container: string; alias: string } {
  const [name = '', alias = name, more] = link.split(':');
  if (name === '' || alias === '' || more !== undefined) {
    throw new LongshoreError('invalid', `bad format for links: ${link}`, { object: link, remedy: 'Write CONTAINER or CONTAINER:ALIAS.' });
  }
  return { container: other(deps, name, `could not get container for ${name}: `).id, alias: alias.replace(/^.*\//, '') };
}

/** The mounts of other containers, for --volumes-from `name[:ro|rw]`. @throws `invalid` */
export function mountsFrom(deps: Pick<Deps, 'containers'>, names: readonly string[]): MountSpec[] {
  return names.flatMap((entry) => {
    const [name = '', mode = 'rw'] = entry.split(':');
    if (!/^(?:(?:ro|rw)?(?:,?[zZ])?|[zZ],(?:ro|rw))$/.test(mode)) {
      throw new LongshoreError('invalid', `invalid mode: ${mode}`, { object: entry });
    }
    const { mounts } = other(deps, name).spec;
    return mounts.filter((mount) => mount.type !== 'tmpfs').map((mount) => ({ ...mount, readOnly: mount.readOnly || mode.split(',').includes('ro') }));
  });
}

/** A namespace mode that names a container (`container:NAME`): it is there, whether it runs the start will tell. @throws `invalid` */
export function checkNamespaceOwner(deps: Pick<Deps, 'containers'>, mode: string | undefined): void {
  if (mode?.startsWith('container:') === true) other(deps, mode.slice('container:'.length));
}
