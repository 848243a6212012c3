/**
 * The tag of an image's name: `latest` where it names neither tag nor digest, '' where only a digest, or where it is no name.
 * A registry's port is told from a tag by the slash after it.
 */
export function imageTag(image: string): string {
  if (!/^[A-Za-z0-9]/.test(image)) return '';
  const at = image.indexOf('@');
  const name = at < 0 ? image : image.slice(0, at);
  const colon = name.lastIndexOf(':');
  if (colon > name.lastIndexOf('/')) return name.slice(colon + 1);
  return at < 0 ? 'latest' : '';
}
