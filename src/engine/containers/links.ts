import { LongshoreError } from '../../lib/errors.ts';
import type { Context } from './context.ts';
import type { Entry } from './entry.ts';

/** The container that another one is linked to, by `NAME/ALIAS`; undefined when there is none. */
export function findLinked(context: Pick<Context, 'entries' | 'names'>, path: string): Entry | undefined {
  const slash = path.indexOf('/');
  const owner = context.entries.get(context.names.get(path.slice(0, slash)) ?? '');
  const link = owner?.spec.links?.find(({ alias }) => alias === path.slice(slash + 1));
  return link === undefined ? undefined : context.entries.get(link.container);
}

/** The container that has a link, by `NAME/ALIAS`. @throws `not-found` */
export function ownerOf(context: Pick<Context, 'entries' | 'names'>, path: string): { readonly owner: Entry; readonly alias: string } {
  const slash = path.indexOf('/');
  const owner = context.entries.get(context.names.get(path.slice(0, slash)) ?? '');
  const alias = path.slice(slash + 1);
  if (slash < 0 || owner?.spec.links?.some((link) => link.alias === alias) !== true) {
    throw new LongshoreError('not-found', `No such link: ${path}`, {
      object: `link ${path}`,
      remedy: 'Name the container that has it, and the alias: docker rm --link NAME/ALIAS.',
    });
  }
  return { owner, alias };
}

/** Lines of /etc/hosts for legacy links. @throws `conflict` for one whose container doesn't run, `not-found` */
export function linkLines(context: Pick<Context, 'find'>, entry: Entry): string[] {
  return (entry.spec.links ?? []).map(({ container, alias }) => {
    const other = context.find(container);
    const address = other.state.endpoints[0]?.address;
    if (address === undefined) {
      throw new LongshoreError('conflict', `Cannot link to a non running container: /${other.name} AS /${entry.name}/${alias}`, {
        object: `container ${entry.name}`,
        remedy: `Start it first: docker start ${other.name}`,
      });
    }
    return `${address}\t${[...new Set([alias, other.short, other.name])].join(' ')}`;
  });
}
