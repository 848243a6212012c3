export { familiar } from '../../images/reference.ts';

/** `name` and `tag` of a query joined: a tag may be a digest. */
export function joinReference(name: string, tag: string | null): string {
  if (tag === null || tag === '') return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}
