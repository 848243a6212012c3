const DEFAULT_DOMAIN = 'docker.io/';
const OFFICIAL = 'library/';

/** A full reference as people write it: without `docker.io/` and `library/`. */
export function familiar(reference: string): string {
  if (!reference.startsWith(DEFAULT_DOMAIN)) return reference;
  const rest = reference.slice(DEFAULT_DOMAIN.length);
  return rest.startsWith(OFFICIAL) && !rest.slice(OFFICIAL.length).includes('/') ? rest.slice(OFFICIAL.length) : rest;
}

/** `name` and `tag` of a query joined: a tag may be a digest. */
export function joinReference(name: string, tag: string | null): string {
  if (tag === null || tag === '') return name;
  return tag.includes(':') ? `${name}@${tag}` : `${name}:${tag}`;
}
