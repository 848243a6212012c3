import { LongshoreError } from '../../../lib/errors.ts';
import { TAG } from '../../images/reference.ts';

export { familiar } from '../../images/reference.ts';

/** `name` and `tag` of a query joined: a tag may be a digest. @throws `invalid` */
export function joinReference(name: string, tag: string | null): string {
  if (tag === null || tag === '') return name;
  if (!tag.includes(':') && !TAG.test(tag)) throw new LongshoreError('invalid', 'invalid tag format', { object: `tag ${tag}` });
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}
